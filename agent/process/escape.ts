/**
 * The text with everything escapeJson that could end a line or lead a terminal: controls, formats and Unicode's own line
 * ends. Labels, names and errors quote foreign text.
 */
export const escapeText = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );

/** The same for a line of JSON, which then still reads as what was said. */
export const escapeJson = (json: string): string =>
  json.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    character
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
