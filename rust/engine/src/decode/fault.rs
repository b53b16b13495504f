//! Why one record was not taken, as the parsers see it: a code, a byte position, words that hold no payload.

use crate::stage::RejectCode;

/// A fault in one record. Boxed, so that the parsers' results stay in registers; it exists for rejected rows only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault(Box<Details>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Details {
    code: RejectCode,
    at: Option<usize>,
    subject: Option<usize>,
    reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reason {
    /// Something other than the column's type; the words name what was found.
    Found(&'static str),
    /// The whole sentence.
    Said(&'static str),
    /// A sentence with figures in it.
    Counted(String),
}

/// Result of a parser.
pub(super) type Parsed<T> = Result<T, Fault>;

impl Fault {
    /// A fault at byte `at` of the record.
    #[cold]
    pub(super) fn new(code: RejectCode, at: usize, what: &'static str) -> Self {
        Self::build(code, Some(at), Reason::Said(what))
    }

    /// A fault of the record as a whole.
    #[cold]
    pub(super) fn whole(code: RejectCode, what: &'static str) -> Self {
        Self::build(code, None, Reason::Said(what))
    }

    /// A fault of the record as a whole, with figures.
    #[cold]
    pub(super) fn counted(code: RejectCode, what: String) -> Self {
        Self::build(code, None, Reason::Counted(what))
    }

    /// Not well-formed at byte `at`.
    #[cold]
    pub(super) fn malformed(at: usize, what: &'static str) -> Self {
        Self::new(RejectCode::Malformed, at, what)
    }

    /// A value of another type than its column's; `found` names its type ("a string").
    #[cold]
    pub(super) fn wrong_type(at: usize, found: &'static str) -> Self {
        Self::build(RejectCode::WrongType, Some(at), Reason::Found(found))
    }

    fn build(code: RejectCode, at: Option<usize>, reason: Reason) -> Self {
        Self(Box::new(Details { code, at, subject: None, reason }))
    }

    /// The same fault, told of column (or object) number `subject`.
    #[cold]
    pub(super) fn in_column(mut self, subject: usize) -> Self {
        self.0.subject = Some(subject);
        self
    }

    /// The same fault at byte `at`: for a value that was parsed apart from its record.
    #[cold]
    pub(super) fn placed(mut self, at: usize) -> Self {
        self.0.at = Some(at);
        self
    }

    /// The stable code.
    pub(super) fn code(&self) -> RejectCode {
        self.0.code
    }

    /// The sentence for a person. `name` gives a subject's dotted path and the type that was expected.
    pub(super) fn message<'a>(&self, name: impl Fn(usize) -> (&'a str, &'a str)) -> String {
        let mut message = String::new();
        let named = self.0.subject.map(name);
        if let Some((path, _)) = named.filter(|(path, _)| !path.is_empty()) {
            message.push_str("column ");
            message.push_str(path);
            message.push_str(": ");
        }
        match (&self.0.reason, named) {
            (Reason::Found(found), Some((_, expected))) => {
                message.push_str(&format!("expected {expected}, found {found}"));
            }
            (Reason::Found(found), None) => message.push_str(&format!("found {found}")),
            (Reason::Said(what), Some((_, expected))) => message.push_str(&what.replace("{type}", expected)),
            (Reason::Said(what), None) => message.push_str(what),
            (Reason::Counted(what), _) => message.push_str(what),
        }
        if let Some(at) = self.0.at {
            message.push_str(&format!(", at byte {at}"));
        }
        message
    }
}
