/** Why Route 53 can't read a text, in its words. */
export const fatal = (what: string, text: string): string =>
  `FATAL problem: ${what} encountered with '${text}'`;

type Named = { readonly name: string } | { readonly problem: string };

const escapedByte = (byte: number): string => {
  const character = String.fromCharCode(byte).toLowerCase();
  return /^[a-z0-9_-]$/.test(character) ? character : `\\${byte.toString(8).padStart(3, "0")}`;
};

/**
 * The name as Route 53 stores and lists it, or why it is none. Bytes outside the printable ones and a dot inside a
 * label must arrive escaped; everything outside `[a-z0-9_-]` leaves escaped [DG:DomainNameFormat].
 */
export const canonicalName = (text: string): Named => {
  const labels: string[] = [];
  let label = "";
  let labelBytes = 0;
  let nameBytes = 1;
  let labelStart = 0;
  for (let at = 0; at <= text.length; at++) {
    const character = text[at];
    if (character === undefined || character === ".") {
      // One trailing dot is allowed; an empty label anywhere else is not [GH sorah/acmesmith#65].
      if (labelBytes === 0 && (character !== undefined || labels.length === 0)) {
        return { problem: fatal("DomainLabelEmpty (Domain label is empty)", text) };
      }
      // [GH ministryofjustice/cloud-platform#4294]
      if (labelBytes > 63) {
        const long = text.slice(labelStart, at);
        return { problem: fatal("DomainLabelTooLong (Domain label is too long)", long) };
      }
      if (labelBytes > 0) {
        labels.push(label);
        nameBytes += labelBytes + 1;
      }
      label = "";
      labelBytes = 0;
      labelStart = at + 1;
      continue;
    }
    const octal = /^\\([0-3][0-7]{2})/.exec(text.slice(at, at + 4))?.[1];
    if (octal === undefined && !/^[!-[\]-~]$/.test(character)) {
      return {
        problem: fatal("UnsupportedCharacter (Value contains unsupported characters)", text),
      };
    }
    label += escapedByte(octal === undefined ? character.charCodeAt(0) : Number.parseInt(octal, 8));
    labelBytes += 1;
    at += octal === undefined ? 0 : 3;
  }
  // 255 bytes on the wire, length bytes and root included [DG:DomainNameFormat]; wording ours.
  if (nameBytes > 255) {
    return { problem: fatal("DomainNameTooLong (Domain name is too long)", text) };
  }
  return { name: `${labels.join(".")}.` };
};
