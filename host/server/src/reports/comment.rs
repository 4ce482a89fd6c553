//! The text of the one comment on a pull request: a part for each environment. What is said there is read by whoever can read
//! the repository, so it says nothing of where databases are.

use std::fmt::Write as _;

use whimbrel_core::gate::Gate;
use whimbrel_core::plan::{Blocker, BlockerCode};
use whimbrel_engine::{EngineError, Prepared};
use whimbrel_plugin::CommitState;
use whimbrel_project::ProjectError;
use whimbrel_report::PlanView;
use whimbrel_report::findings::Notes;

/// The most bytes of a comment that are given to the reporter, which cuts it to what its host takes.
const LONGEST: usize = 900 << 10;

/// What one environment says of a pull request.
pub(super) struct Part {
    pub(super) environment: String,
    pub(super) state: CommitState,
    /// One sentence.
    pub(super) summary: String,
    /// In Markdown.
    pub(super) text: String,
}

/// A plan that was made. Nothing was asked of databases but what they have: no estimate runs, because a plugin would run
/// with the change's configuration.
pub(super) fn planned(environment: &str, prepared: &Prepared) -> Part {
    let plan = prepared.plan();
    let mut refusals = prepared.refusals();
    // No pull request is on the branch yet.
    refusals.retain(|refusal| refusal.gate != Gate::Branch);
    let view = PlanView {
        plan,
        refusals: &refusals,
        estimates: &[],
        notes: Notes::Shown,
    };
    let mut text = view.markdown();
    let unread = prepared.survey.failures.len();
    if unread > 0 {
        let names = prepared.survey.failures.keys();
        let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "\n> **Couldn't be read** now: {}\n", names.join(", "));
    }
    let policy = &prepared.gates.policy;
    let stopped = refusals.iter().find(|refusal| refusal.stops(policy));
    // What was merged meanwhile is no fault of the change, and merging it cures that.
    let is_behind = |blocker: &Blocker| blocker.code == BlockerCode::NotDescendant;
    let (behind, blockers): (Vec<_>, Vec<_>) =
        plan.blockers().partition(|(_, blocker)| is_behind(blocker));
    let changes = plan.changes().count();
    let noun = if changes == 1 { "change" } else { "changes" };
    let (state, summary) = match (stopped, blockers.len(), unread) {
        (Some(refusal), ..) => (
            CommitState::Failure,
            format!("the gate `{}` would refuse it", refusal.gate),
        ),
        (None, 1.., _) => (CommitState::Failure, "it can't be run".to_owned()),
        (None, 0, 1..) => (
            CommitState::Failure,
            format!("{unread} of its databases couldn't be read"),
        ),
        (None, 0, 0) if !behind.is_empty() => (
            CommitState::Success,
            format!("{changes} {noun} planned; more was applied meanwhile, so merge or rebase"),
        ),
        (None, 0, 0) if plan.is_empty() => (CommitState::Success, "nothing to do".to_owned()),
        (None, 0, 0) => (CommitState::Success, format!("{changes} {noun} planned")),
    };
    Part {
        environment: environment.to_owned(),
        state,
        summary,
        text,
    }
}

/// A plan that couldn't be made. Only what is wrong with the change's own files is said.
pub(super) fn unplanned(environment: &str, error: &EngineError) -> Part {
    let (summary, body) = match error {
        EngineError::Project(ProjectError::Definitions(problems)) => {
            let text = problems.render(false);
            let fence = fence(&text);
            let body = format!("{fence}text\n{}\n{fence}", text.trim_end());
            ("its migrations are wrong", body)
        }
        _ => (
            "it can't be planned now",
            "It can't be planned now. The log of `whimbrel serve` says why.".to_owned(),
        ),
    };
    Part {
        environment: environment.to_owned(),
        state: CommitState::Failure,
        summary: summary.to_owned(),
        text: format!(
            "### Whimbrel plan for `{environment}`\n\n**No plan:** {summary}.\n\n{body}\n"
        ),
    }
}

/// The whole comment.
pub(super) fn text(parts: &[Part]) -> String {
    let texts: Vec<_> = parts.iter().map(|part| part.text.trim_end()).collect();
    let mut text = texts.join("\n\n---\n\n");
    if text.len() > LONGEST {
        let mut end = LONGEST;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text.push('\n');
    text
}

/// A fence that no line of a text can close.
fn fence(text: &str) -> String {
    let runs = text.split(|character| character != '`');
    let longest = runs.map(str::len).max().unwrap_or_default();
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use whimbrel_engine::EngineError;
    use whimbrel_plugin::CommitState;
    use whimbrel_project::ProjectError;

    use super::{Part, fence, text, unplanned};

    #[test]
    fn nothing_of_the_surroundings_is_said() {
        let error = EngineError::Project(ProjectError::NoFolder("/srv/secret/place".into()));
        let part = unplanned("production", &error);
        assert_eq!(part.state, CommitState::Failure);
        assert!(!part.text.contains("/srv") && part.text.contains("`production`"));
    }

    #[test]
    fn a_fence_is_not_closed_from_inside() {
        assert_eq!(fence("a ``` b"), "````");
        assert_eq!(fence("plain"), "```");
    }

    #[test]
    fn a_comment_is_bounded() {
        let part = |text: &str| Part {
            environment: "dev".to_owned(),
            state: CommitState::Success,
            summary: String::new(),
            text: text.to_owned(),
        };
        assert_eq!(text(&[part("a\n"), part("b\n")]), "a\n\n---\n\nb\n");
        assert!(text(&[part(&"ü".repeat(1 << 20))]).len() < 1 << 20);
    }
}
