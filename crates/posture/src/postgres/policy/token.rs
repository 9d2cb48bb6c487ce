//! The tokens of an expression as PostgreSQL prints it.

/// One token. An identifier has lost its quotes, so that `"a.b"` and `a.b` differ in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A word. The flag is set if it was quoted, because a quoted word is never a keyword.
    Word {
        text: String,
        quoted: bool,
    },
    /// A number or a string.
    Literal,
    /// `::`
    Cast,
    /// A run of operator characters.
    Operator(String),
    Open,
    Close,
    /// Anything else: a full stop, a comma, a bracket.
    Mark(char),
}

impl Token {
    /// Whether this is the unquoted word, in any case.
    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self, Self::Word { text, quoted: false } if text.eq_ignore_ascii_case(keyword))
    }

    /// Whether this names the column or table.
    pub(super) fn names(&self, name: &str) -> bool {
        matches!(self, Self::Word { text, .. } if text == name)
    }
}

/// Splits an expression. Nothing is refused: what makes no sense gives tokens that match no known form.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = vec![];
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            c if c.is_whitespace() => {}
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            '\'' => {
                quoted(&mut rest, '\'');
                tokens.push(Token::Literal);
            }
            '"' => tokens.push(Token::Word { text: quoted(&mut rest, '"'), quoted: true }),
            ':' if rest.next_if_eq(&':').is_some() => tokens.push(Token::Cast),
            c if c.is_ascii_digit() => {
                while rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '.').is_some() {}
                tokens.push(Token::Literal);
            }
            c if c.is_alphanumeric() || c == '_' => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_' || *c == '$') {
                    word.push(c);
                }
                // `E'..'` is a string with backslashes; PostgreSQL prints one if the text has a backslash.
                if word == "E" && rest.next_if_eq(&'\'').is_some() {
                    escaped(&mut rest);
                    tokens.push(Token::Literal);
                } else {
                    tokens.push(Token::Word { text: word, quoted: false });
                }
            }
            c if is_operator(c) => {
                let mut operator = String::from(c);
                while let Some(c) = rest.next_if(|c| is_operator(*c)) {
                    operator.push(c);
                }
                tokens.push(Token::Operator(operator));
            }
            c => tokens.push(Token::Mark(c)),
        }
    }
    tokens
}

fn is_operator(c: char) -> bool {
    "+-*/<>=~!@#%^&|`?".contains(c)
}

/// The text up to the closing quote; a doubled quote stands for one.
fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, quote: char) -> String {
    let mut text = String::new();
    while let Some(c) = rest.next() {
        if c == quote && rest.next_if_eq(&quote).is_none() {
            break;
        }
        text.push(c);
    }
    text
}

fn escaped(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(c) = rest.next() {
        match c {
            '\\' => drop(rest.next()),
            '\'' if rest.next_if_eq(&'\'').is_none() => break,
            _ => {}
        }
    }
}
