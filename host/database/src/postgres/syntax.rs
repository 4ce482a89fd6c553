//! What squawk's parser doesn't understand. Its grammar may lag behind the server's, which has the last word, so this
//! only warns.

use squawk_syntax::SourceFile;
use whimbrel_core::finding::Severity;
use whimbrel_core::statement::Dialect;

use crate::dialect::LintFinding;
use crate::dialect::pieces::{Piece, pieces};
use crate::dialect::token::Kind;

/// The first error of each statement. One at a time, so that none spills over into the next.
pub(super) fn errors(text: &str) -> Vec<LintFinding> {
    let pieces = pieces(Dialect::Postgres, text).unwrap_or_default();
    let first = |piece: &Piece<'_>| {
        if is_misjudged(piece) {
            return None;
        }
        let errors = SourceFile::parse(piece.text).errors();
        let error = errors.iter().find(|error| {
            let offset = piece.start + usize::from(error.range().start());
            !in_text(piece, offset)
        })?;
        Some(LintFinding {
            rule: "syntax-error".to_owned(),
            severity: Severity::Warning,
            message: error.message().to_owned(),
            help: Some("the server decides: it may know more than this parser".to_owned()),
            offset: piece.start + usize::from(error.range().start()),
        })
    };
    pieces.iter().filter_map(first).collect()
}

/// Valid statements that squawk 2.68 is known to take for errors.
fn is_misjudged(piece: &Piece<'_>) -> bool {
    let has = |word| piece.tokens.iter().any(|token| token.is(word));
    let language = piece
        .tokens
        .iter()
        .take(6)
        .any(|token| token.is("language"));
    let definition = piece.begins(&["create"]) && language;
    definition && (has("trusted") || has("procedural") || has("handler"))
        || piece.begins(&["copy"]) && has("delimiters")
        || piece.begins(&["alter", "group"])
}

/// Whether something is in a string, such as the body of a function: its language may be another, and what an escape in
/// it means hangs on the server's settings.
fn in_text(piece: &Piece<'_>, offset: usize) -> bool {
    piece.tokens.iter().any(|token| {
        matches!(token.kind, Kind::Text | Kind::DollarText)
            && (token.start..token.end()).contains(&offset)
    })
}
