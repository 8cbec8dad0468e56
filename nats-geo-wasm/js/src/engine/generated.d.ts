// What the build's wrapper of the generated glue exports; see build.mjs.
declare module "virtual:engine" {
  export interface Glue {
    readonly Engine: unknown;
    readonly imports: WebAssembly.Imports;
    /** The glue asks for nothing but exports. */
    start(instance: { readonly exports: object }): void;
  }
  export function createGlue(WebSocket: object): Glue;
}
