/** True when `glob` matches the whole text: `*` stands for any characters, `?` for one; everything else for itself. */
export function matchesGlob(glob: string, text: string): boolean {
  // Linear in time, whatever the glob: only the last star is ever tried again.
  let at = 0;
  let star = -1;
  let starAt = 0;
  for (let position = 0; position < text.length; ) {
    const sign = glob[at];
    if (sign === "*") {
      star = at;
      starAt = position;
      at += 1;
    } else if (sign === "?" || sign === text[position]) {
      at += 1;
      position += 1;
    } else if (star >= 0) {
      at = star + 1;
      starAt += 1;
      position = starAt;
    } else {
      return false;
    }
  }
  while (glob[at] === "*") at += 1;
  return at === glob.length;
}
