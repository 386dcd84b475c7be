/** The part of solc-js that the tests use; the package brings no types. */
declare module 'solc' {
  const solc: {
    /** Takes and gives standard JSON (Solidity's "Compiler Input and Output JSON Description"). */
    compile(input: string): string;
  };
  export default solc;
}
