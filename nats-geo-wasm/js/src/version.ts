// Version: set by the build from package.json.

declare const VERSION: string;

export const version: string = VERSION;
