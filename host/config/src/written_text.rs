//! Where in a document a character of a text stands, however the text is written there.

/// The byte, in a value as it is written in YAML or JSON, of the nth character of its text that is no white space.
pub fn nth_character(raw: &str, nth: usize) -> Option<usize> {
    let mut characters: Box<dyn Iterator<Item = (usize, char)>> = match raw.chars().next()? {
        '|' | '>' => {
            let start = raw.find('\n')? + 1;
            let text = raw.get(start..)?.char_indices();
            Box::new(text.map(move |(index, c)| (start + index, c)))
        }
        '\'' => Box::new(single_quoted(raw)),
        '"' => Box::new(double_quoted(raw)),
        _ => Box::new(raw.char_indices()),
    };
    let text = characters.by_ref().filter(|(_, c)| !c.is_whitespace());
    text.map(|(index, _)| index).nth(nth)
}

fn single_quoted(raw: &str) -> impl Iterator<Item = (usize, char)> {
    let mut characters = raw.char_indices().skip(1).peekable();
    std::iter::from_fn(move || {
        let (index, character) = characters.next()?;
        if character == '\'' {
            // Two of them are one; a single one is the end.
            characters.next_if(|(_, next)| *next == '\'')?;
        }
        Some((index, character))
    })
}

fn double_quoted(raw: &str) -> impl Iterator<Item = (usize, char)> {
    let mut at = 1;
    std::iter::from_fn(move || {
        let rest = raw.get(at..)?;
        let character = rest.chars().next().filter(|c| *c != '"')?;
        let start = at;
        if character != '\\' {
            at += character.len_utf8();
            return Some((start, character));
        }
        let (length, said) = escape(rest);
        at += length;
        Some((start, said))
    })
}

/// How long an escape is, and what it says.
fn escape(rest: &str) -> (usize, char) {
    let Some(letter) = rest.chars().nth(1) else {
        return (1, ' ');
    };
    let code = |digits: usize| {
        let digits = rest.get(2..2 + digits).unwrap_or_default();
        u32::from_str_radix(digits, 16).ok()
    };
    let length = 1 + letter.len_utf8();
    match letter {
        // `\_` is a space that doesn't break; the others of YAML that say white space have a letter of their own.
        'n' | 't' | 'r' | '\n' | ' ' | '_' | 'N' | 'L' | 'P' | 'v' | 'f' | '\t' => (length, ' '),
        'x' => (length + 2, said(code(2))),
        'U' => (length + 8, said(code(8))),
        'u' => match code(4) {
            // The first half of a character of JSON; the other half follows as an escape of its own.
            Some(0xD800..=0xDBFF) => (length + 10, 'x'),
            code => (length + 4, said(code)),
        },
        _ => (length, letter),
    }
}

fn said(code: Option<u32>) -> char {
    code.and_then(char::from_u32).unwrap_or('x')
}

#[cfg(test)]
mod tests {
    use super::nth_character;

    #[test]
    fn finds_a_character_in_every_style() {
        let text = "SELECT 'a\"b',\n  DELETE 🐦 X";
        let nth = |end: &str| {
            let before = text.split(end).next().unwrap();
            before.chars().filter(|c| !c.is_whitespace()).count()
        };
        for raw in [
            "|\n    SELECT 'a\"b',\n      DELETE 🐦 X\n",
            ">-  # why\n  SELECT 'a\"b',\n\n  DELETE\n  🐦 X",
            "SELECT 'a\"b',\n    DELETE 🐦 X",
            "'SELECT ''a\"b'',\n\n    DELETE 🐦 X'",
            r#""SELECT 'a\"b',\n  DELETE \ud83d\udc26 X""#,
            "\"SELECT\\t'a\\x22b',\\\n   \\  DELETE \\U0001f426\\_X\"",
            r#""\u0053ELECT 'a\u0022b',\u000a DELETE 🐦 X""#,
        ] {
            let found = |word| raw.get(nth_character(raw, nth(word)).unwrap()..).unwrap();
            assert!(found("DELETE").starts_with("DELETE"), "{raw}");
            assert!(found("X").starts_with('X'), "{raw}");
            assert_eq!(nth_character(raw, 99), None);
        }
        assert_eq!(nth_character("\"\\", 0), None);
    }
}
