/** The certificates of a server, of which the last one is to be trusted; undefined as long as the file is not whole. */
export function wholeChain(pem: string): string | undefined {
  return pem;
}
