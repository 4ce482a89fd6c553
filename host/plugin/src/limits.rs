//! Every limit of the sandbox, in one table: name, default, reason.

use std::time::Duration;

/// One row of the table, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its name in [`Limits`].
    pub name: &'static str,
    /// Its value, as it holds now.
    pub value: String,
    /// Why it is there, and why it is so high.
    pub reason: &'static str,
}

macro_rules! limits {
    ($($name:ident: $type:ty = $default:expr, $reason:literal;)*) => {
        /// What a call of a plugin may use up. Each can be overridden.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits {
            $(#[doc = $reason] pub $name: $type,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
            /// The table, with the values that hold.
            #[must_use]
            pub fn table(&self) -> Vec<Limit> {
                vec![$(Limit {
                    name: stringify!($name),
                    value: format!("{:?}", self.$name),
                    reason: $reason,
                },)*]
            }
        }
    };
}

limits! {
    memory_bytes: usize = 64 << 20,
        "Linear memory of a call, all memories together: a step streams rows, it doesn't keep them.";
    memory_ceiling_bytes: usize = 512 << 20,
        "The most that a manifest can ask for: languages with big runtimes need more than the default.";
    table_elements: usize = 20_000,
        "Elements of one table: Python has 5,700, JavaScript 7,700.";
    tables: usize = 64, "Tables of a call: Python has one per core instance.";
    memories: usize = 16, "Memories of a call.";
    instances: usize = 128, "Core instances of a call: Python has 20.";
    stack_bytes: usize = 512 << 10, "Stack of the guest: deep recursion traps before it meets the host's.";
    compute: Duration = Duration::from_secs(10),
        "Own compute since the call began or last committed, without the time in host calls: plans and batches take milliseconds.";
    tick: Duration = Duration::from_millis(10),
        "How often a computing guest is looked at, and lets others run.";
    pure_timeout: Duration = Duration::from_secs(30),
        "Wall clock of describe, plan and the dry instantiation: they only compute.";
    estimate_timeout: Duration = Duration::from_secs(300),
        "Wall clock of estimate: it counts rows of big tables, and nobody should wait longer for a guess.";
    call_timeout: Duration = Duration::from_secs(86_400),
        "Wall clock of apply and revert unless the step says its own: backfills take hours.";
    stop_grace: Duration = Duration::from_secs(30),
        "How long a call that was asked to stop may go on: one batch, not more.";
    pooled_calls: u32 = 128,
        "Calls of small guests at once in one process; further ones wait. Each reserves addresses, not memory.";
    hostcall_bytes: usize = 32 << 20,
        "Bytes that cross from the guest in one call: a statement with its parameters, rows to insert.";
    result_bytes: usize = 16 << 20,
        "Bytes of one query's rows that cross to the guest: bulk data goes through `sources.pump`.";
    handles: usize = 1_000, "Resource handles of the guest.";
    resources: usize = 1_000, "Entries of the host's resource table, such as WASI streams.";
    log_lines: usize = 10_000, "Log lines of a call; further ones are dropped, and that is said once.";
    log_bytes: usize = 8 << 10, "Bytes of one log line with its fields; the rest is cut off.";
    tail_lines: usize = 20, "Last log lines that an error shows.";
    tail_bytes: usize = 16 << 10, "Last bytes of stderr that an error shows.";
    undo_bytes: usize = 64 << 10, "What a revert will need is kept in the history, and so is small.";
    checkpoint_bytes: usize = 64 << 10, "A checkpoint is written with each batch, and so is small.";
    summary_bytes: usize = 4 << 10, "A summary is one sentence.";
    details_bytes: usize = 1 << 20, "Details, descriptions and estimates are JSON that people and tools read.";
    effects: usize = 1_000, "Lines of a preview: a reviewer reads them.";
    metric_series: usize = 100, "Metric names with labels of a call: series cost storage for ever.";
    schema_bytes: usize = 256 << 10, "A schema of a configuration: a person wrote what it was made of.";
    schema_evaluations: u64 = 1_000_000,
        "Parts of a schema evaluated for one configuration, under a second; backfill's takes about thirty.";
    config_depth: usize = 64, "Levels of a configuration; each takes stack of the host while it is checked.";
    pattern_bytes: usize = 1 << 20, "One compiled pattern of a schema; they take linear time.";
    mismatches: usize = 20, "What is said at once of a wrong configuration: more than anybody reads.";
    component_bytes: usize = 128 << 20, "Size of a component: Python's is 18 MB.";
}

#[cfg(test)]
mod tests {
    use super::Limits;

    #[test]
    fn the_table_says_all_with_reasons() {
        let limits = Limits {
            memories: 3,
            ..Limits::default()
        };
        let table = limits.table();
        assert!(table.iter().all(|limit| limit.reason.len() > 10));
        let memories = table.iter().find(|limit| limit.name == "memories").unwrap();
        assert_eq!(memories.value, "3");
    }
}
