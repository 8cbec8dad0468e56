// What the build's wrapper of the generated glue exports; see build.mjs.
declare module "virtual:engine" {
  export interface Glue {
    initSync(input: { module: WebAssembly.Module }): unknown;
    readonly Engine: unknown;
  }
  export function createGlue(WebAssembly: object, WebSocket: object): Glue;
}
