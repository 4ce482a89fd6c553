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
    pooled_ahead: u32 = 8,
        "Instances that wait for a call in one process, beside those: made while another call waits for a server.";
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
    store_timeout: Duration = Duration::from_secs(60),
        "Wall clock of one call of a secret store: a login and a request or two, each with its own limit.";
    webhook_timeout: Duration = Duration::from_secs(5),
        "Wall clock of reading one delivery: senders wait ten seconds, and reading takes milliseconds.";
    webhook_body_bytes: usize = 1 << 20,
        "Body of a delivery. A push of any size tells of a few commits; what got cut off costs no more than a poll.";
    webhook_headers: usize = 100, "Headers of a delivery: hosts send twenty.";
    webhook_header_bytes: usize = 64 << 10, "The same, in bytes.";
    webhook_secrets: usize = 8, "Secrets that are live at once: two while one is replaced.";
    webhook_changes: usize = 1_000, "Changed references of one push that are told.";
    webhook_id_bytes: usize = 256, "The id of a delivery: it is kept, to know the delivery again.";
    report_timeout: Duration = Duration::from_secs(120),
        "Wall clock of showing a result: up to some pages of comments to find one's own.";
    report_bytes: usize = 1 << 20, "One comment, before a host's own limit cuts it.";
    secret_bytes: usize = 1 << 20,
        "One secret with all of its fields: the bound that Kubernetes has for a whole Secret.";
    secret_fields: usize = 1_000, "Fields of one secret.";
    name_bytes: usize = 4 << 10, "Names of fields, versions and leases: they are kept and shown.";
    longest_lease: Duration = Duration::from_secs(10 * 366 * 86_400),
        "A store that claims more lends for ever, and times beyond it can't be counted with.";
    session_bytes: usize = 64 << 10, "A login is a token and a few words about it.";
    concealed: usize = 64, "Values that a login conceals: a token, its accessor, the key that signs.";
    heard_strings: usize = 2_000,
        "Strings of HTTP answers that are looked for in what a call says; beyond them it may say nothing more.";
    heard_strings_of_fault: usize = 50_000,
        "The same for the fault with which a call ends, one a call: a state of Terraform is full of strings.";
    heard_bytes: usize = 4 << 20, "Bytes of the same.";
    http_requests: usize = 100, "Requests of one call of a secret store, or one commit's worth of a step.";
    http_request_bytes: usize = 1 << 20, "Body of a request: stores are asked in a few words.";
    http_response_bytes: usize = 4 << 20, "Body of an answer: it must fit the guest's memory beside all else.";
    http_header_bytes: usize = 64 << 10, "Headers of a request or an answer, and an HTTP/1.1 answer's head.";
    http_headers: usize = 100, "Headers of a request or an answer.";
    http_timeout: Duration = Duration::from_secs(30),
        "One exchange from resolving the name to the answer's last byte, unless the guest asks for another.";
    http_timeout_ceiling: Duration = Duration::from_secs(300), "The most that a guest can ask for.";
    http_connect_timeout: Duration = Duration::from_secs(10),
        "Each of: finding the address, one attempt to connect, agreeing on TLS.";
    http_idle: Duration = Duration::from_secs(60), "How long a connection waits for the next request.";
    http_idle_connections: usize = 4, "Connections that wait, of each granted place.";
    file_bytes: usize = 4 << 20,
        "A file that is read: tokens and certificates are small, a state of Terraform may be as large as an answer.";
    random_bytes: usize = 64 << 10, "Random bytes at once: keys and nonces are short.";
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
