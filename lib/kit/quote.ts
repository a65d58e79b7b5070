/** Text from outside, safe in one line of a message: quoted, ASCII only, at most `limit` characters of it. */
export function quote(text: string, limit = 80): string {
  const shown = text.length > limit ? `${text.slice(0, limit)}...` : text;
  return JSON.stringify(shown).replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
