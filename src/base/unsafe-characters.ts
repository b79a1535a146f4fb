/**
 * What text from outside must not show on a terminal besides C0, as the inside of a class in a regular expression with
 * the flag `u`: DEL, C1, line separators, Unicode's Bidi_Control, and what is drawn as nothing, which would make two
 * names look alike. The joiners U+200C and U+200D stay: scripts and emoji are spelt with them.
 */
export const unsafeCharacters =
  "\\u007f-\\u009f\\u00ad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\u{e0000}-\\u{e007f}";
