//! What is shown, cut to what a host takes.

use whimbrel_sdk::prelude::*;

/// The whole text, or its beginning and dots, in so many characters.
pub(crate) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept = text.chars().take(most.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// A name in so many characters. One that is longer ends in a number made of the whole, so that two stay two.
pub(crate) fn name(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    // FNV-1a: nobody gains anything by two names of one number.
    let number = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let kept = text.chars().take(most.saturating_sub(9));
    format!("{}-{number:08x}", kept.collect::<String>())
}

/// Markdown of so many characters, with a note when something was cut off. What was opened before the cut is closed.
pub(crate) fn markdown(text: &str, most: usize) -> String {
    let whole = text.chars().count();
    if whole <= most {
        return text.to_owned();
    }
    let note = format!(
        "\n\n**Cut off here:** the whole has {whole} characters, and no more than {most} can be shown in one comment.\n"
    );
    // Room for the fence and the tags that close what is open.
    let room = most.saturating_sub(note.chars().count() + 64);
    let kept: String = text.chars().take(room).collect();
    // By whole lines, unless one line is all there is.
    let kept = match kept.rfind('\n') {
        Some(end) if end > room / 2 => kept.get(..end).unwrap_or_default(),
        _ => kept.as_str(),
    };
    let fences = kept
        .lines()
        .filter(|line| line.trim_start().starts_with("```"));
    let fence = if fences.count() % 2 == 1 { "\n```" } else { "" };
    let opened = kept.matches("<details").count();
    let closed = kept.matches("</details>").count();
    let details = "\n</details>".repeat(opened.saturating_sub(closed).min(4));
    format!("{kept}{fence}{details}{note}")
}

/// Checks a commit's name, which becomes a part of an address.
pub(crate) fn check_commit(commit: &str) -> Result<(), Fault> {
    let is_whole = matches!(commit.len(), 40 | 64);
    if is_whole && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    let message = format!("`{}` is no whole name of a commit", commit.escape_debug());
    Err(Fault::new(FaultClass::Invalid, "git.commit", message))
}

/// Checks a link that people will follow.
pub(crate) fn check_link(link: Option<&str>) -> Result<(), Fault> {
    let is_link = |link: &str| {
        (link.starts_with("https://") || link.starts_with("http://"))
            && !link.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    match link {
        Some(link) if !is_link(link) => {
            let message = format!("`{}` is no address of a page", link.escape_debug());
            Err(Fault::new(FaultClass::Invalid, "git.link", message))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{markdown, name, short};

    #[test]
    fn what_fits_stays() {
        assert_eq!(short("äöü", 3), "äöü");
        assert_eq!(short("äöüß", 3), "äö…");
        assert_eq!(name("whimbrel/production", 40), "whimbrel/production");
        assert_eq!(markdown("äöü", 3), "äöü");
    }

    #[test]
    fn long_names_stay_different() {
        let (one, other) = ("x".repeat(50) + "a", "x".repeat(50) + "b");
        assert_eq!(name(&one, 40).chars().count(), 40);
        assert_ne!(name(&one, 40), name(&other, 40));
    }

    #[test]
    fn what_is_cut_says_so_and_closes_what_it_opened() {
        let text = format!("<details>\n\n```sql\n{}", "SELECT 'ü';\n".repeat(1_000));
        let cut = markdown(&text, 2_000);
        assert!(cut.chars().count() <= 2_000, "{}", cut.chars().count());
        assert!(
            cut.contains("SELECT 'ü';\n```\n</details>\n\n**Cut off here:**"),
            "{cut}"
        );
        let one_line = markdown(&"ä".repeat(5_000), 1_000);
        assert!(one_line.chars().count() <= 1_000 && one_line.contains("5000 characters"));
        assert!(one_line.chars().filter(|c| *c == 'ä').count() > 700);
    }
}
