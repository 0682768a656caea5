//! From bytes to text, as Python does it: byte order mark, then the encoding named in the first two lines, else UTF-8.

use std::borrow::Cow;

use encoding_rs::Encoding;

use crate::Reason;

/// A decoded source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded<'a> {
    /// The text. A byte order mark stays in it, so that offsets into UTF-8 files are offsets into their bytes.
    pub text: Cow<'a, str>,
    /// The encoding's name, as Python normalises it.
    pub encoding: String,
}

/// Decodes a source.
///
/// **Errors**: [`Reason::Binary`], [`Reason::NotUtf8`], [`Reason::UnknownEncoding`], [`Reason::Undecodable`]. Nothing
/// is ever replaced.
/// **Source**: PEP 263. Names that the WHATWG list knows are decoded by its tables, which accept some bytes that
/// Python's stricter ones refuse.
pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded<'_>, Reason> {
    if bytes.contains(&0) {
        return Err(Reason::Binary);
    }
    let has_mark = bytes.starts_with(b"\xef\xbb\xbf");
    let content = if has_mark {
        bytes.get(3..).unwrap_or_default()
    } else {
        bytes
    };
    let name = cookie(content).map_or_else(|| "utf-8".to_owned(), |name| normalise(&name));
    match name.as_str() {
        "utf-8" => {
            let text = std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8)?;
            let encoding = if has_mark {
                "utf-8-sig".to_owned()
            } else {
                name
            };
            Ok(Decoded {
                text: Cow::Borrowed(text),
                encoding,
            })
        }
        _ if has_mark => Err(Reason::UnknownEncoding),
        "ascii" if bytes.is_ascii() => {
            let text = std::str::from_utf8(bytes).map_err(|_| Reason::Undecodable)?;
            Ok(Decoded {
                text: Cow::Borrowed(text),
                encoding: name,
            })
        }
        "ascii" => Err(Reason::Undecodable),
        "iso-8859-1" => Ok(Decoded {
            text: encoding_rs::mem::decode_latin1(bytes),
            encoding: name,
        }),
        _ => {
            let text = whatwg(&name)
                .ok_or(Reason::UnknownEncoding)?
                .decode_without_bom_handling_and_without_replacement(bytes)
                .ok_or(Reason::Undecodable)?;
            Ok(Decoded {
                text,
                encoding: name,
            })
        }
    }
}

/// The encoding that is named by a comment in the first line, or in the second when the first is blank or a comment.
fn cookie(bytes: &[u8]) -> Option<String> {
    let (first, rest) = split_line(bytes);
    let (second, _) = split_line(rest);
    cookie_in(first).or_else(|| {
        if is_blank_or_comment(first) {
            cookie_in(second)
        } else {
            None
        }
    })
}

/// The first line without its end, and what follows; a line ends with `\n`, `\r` or both.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r'))
        .unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at(end);
    let rest = rest
        .strip_prefix(b"\r\n")
        .or_else(|| rest.get(1..))
        .unwrap_or_default();
    (line, rest)
}

fn is_blank_or_comment(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    text.is_empty() || text.starts_with(b"#")
}

/// `coding`, then `:` or `=`, then the name, in a line that is a comment.
fn cookie_in(line: &[u8]) -> Option<String> {
    if !line.trim_ascii_start().starts_with(b"#") {
        return None;
    }
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let mut rest = line;
    while let Some(at) = rest.windows(6).position(|window| window == b"coding") {
        rest = rest.get(at + 6..)?;
        if let Some(named) = rest.strip_prefix(b":").or_else(|| rest.strip_prefix(b"=")) {
            let name: Vec<u8> = named
                .trim_ascii_start()
                .iter()
                .take_while(is_name)
                .copied()
                .collect();
            if !name.is_empty() {
                return String::from_utf8(name).ok();
            }
        }
    }
    None
}

/// The name as Python's tokenizer and codec registry compare it.
fn normalise(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace('_', "-");
    let is = |prefix: &str| {
        name == prefix
            || name
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with('-'))
    };
    if is("utf-8") || name == "utf8" || name == "u8" {
        "utf-8".to_owned()
    } else if ["latin-1", "iso-8859-1", "iso-latin-1"].into_iter().any(is)
        || matches!(
            name.as_str(),
            "latin1" | "l1" | "iso8859-1" | "8859" | "cp819"
        )
    {
        "iso-8859-1".to_owned()
    } else if matches!(name.as_str(), "ascii" | "us-ascii" | "646") {
        "ascii".to_owned()
    } else {
        name
    }
}

/// The encoding of that Python name. Source code cannot be UTF-16, since its first bytes must be ASCII.
fn whatwg(name: &str) -> Option<&'static Encoding> {
    let label = match name {
        "mac-roman" => "macintosh",
        "cp949" | "uhc" => "windows-949",
        "eucjp" => "euc-jp",
        "euckr" => "euc-kr",
        "cp932" | "shiftjis" => "shift_jis",
        "cp936" => "gbk",
        "cp874" => "windows-874",
        "latin-9" | "l9" => "iso-8859-15",
        _ => name,
    };
    let dashed = label
        .strip_prefix("iso8859-")
        .map(|part| format!("iso-8859-{part}"));
    Encoding::for_label(dashed.as_deref().unwrap_or(label).as_bytes())
        .or_else(|| Encoding::for_label(label.replace('-', "_").as_bytes()))
        .filter(|encoding| encoding.is_ascii_compatible() && *encoding != encoding_rs::REPLACEMENT)
}

#[cfg(test)]
mod tests {
    use super::{cookie, decode};
    use crate::Reason;

    #[track_caller]
    fn check(bytes: &[u8], want: Result<(&str, &str), Reason>) {
        let decoded = decode(bytes);
        let found = match &decoded {
            Ok(decoded) => Ok((decoded.text.as_ref(), decoded.encoding.as_str())),
            Err(reason) => Err(*reason),
        };
        assert_eq!(found, want);
    }

    #[test]
    fn without_a_cookie_it_is_utf_8() {
        check("é = 1".as_bytes(), Ok(("é = 1", "utf-8")));
        check(b"\xe9 = 1", Err(Reason::NotUtf8));
        check(b"\xef\xbb\xbfx", Ok(("\u{feff}x", "utf-8-sig")));
        check(b"", Ok(("", "utf-8")));
        check(b"a\0b", Err(Reason::Binary));
    }

    #[test]
    fn a_cookie_in_the_first_two_lines_counts() {
        check(
            b"# -*- coding: latin-1 -*-\n'\xe9'",
            Ok(("# -*- coding: latin-1 -*-\n'é'", "iso-8859-1")),
        );
        check(
            b"#!x\n# vim: set fileencoding=cp1252 :\n'\x80'",
            Ok(("#!x\n# vim: set fileencoding=cp1252 :\n'€'", "cp1252")),
        );
        check(
            b"# coding: gbk\n'\xc4\xe3'",
            Ok(("# coding: gbk\n'你'", "gbk")),
        );
        check(b"x\n# coding: gbk\n'\xc4\xe3'", Err(Reason::NotUtf8));
        check(b"\n\n# coding: latin-1\n'\xe9'", Err(Reason::NotUtf8));
        check(
            b"# coding: euc_jp\n'\xa4\xa2'",
            Ok(("# coding: euc_jp\n'あ'", "euc-jp")),
        );
    }

    #[test]
    fn a_cookie_that_cannot_be_honoured_is_a_reason() {
        check(b"# coding: klingon\nx", Err(Reason::UnknownEncoding));
        check(b"# coding: utf-16\nx", Err(Reason::UnknownEncoding));
        check(b"# coding: ascii\n'\xe9'", Err(Reason::Undecodable));
        check(b"# coding: utf-8\n'\xe9'", Err(Reason::NotUtf8));
        check(b"# coding: gbk\n'\xff\xff'", Err(Reason::Undecodable));
        check(
            b"\xef\xbb\xbf# coding: latin-1\nx",
            Err(Reason::UnknownEncoding),
        );
    }

    #[test]
    fn lines_end_as_python_ends_them() {
        assert_eq!(cookie(b"#\r# coding: a"), Some("a".to_owned()));
        assert_eq!(cookie(b"#\r\n# coding: a"), Some("a".to_owned()));
        assert_eq!(cookie(b"#\n\n# coding: a"), None);
        assert_eq!(cookie(b"'coding: a'"), None);
    }
}
