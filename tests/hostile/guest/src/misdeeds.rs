//! The misdeeds, by name.

use std::hint::black_box;

use whimbrel_sdk::bindings::exports::whimbrel::step::step::Outcome;
use whimbrel_sdk::prelude::{Json, json};
use whimbrel_sdk::{Duration, Fault, Value, call, clock, database, http, log, metrics, sources};

fn answer(rows: u64, details: &Json) -> Outcome {
    Outcome {
        rows,
        summary: "done".to_owned(),
        undo: Vec::new(),
        details: details.to_string(),
    }
}

#[allow(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    // Little of the guest's own memory, so that it is the stack that overflows.
    recurse(black_box(depth) + 1) + 1
}

/// Says what a query gives wherever something can be said: in the log, in a metric, and as the reason of its death.
pub fn tell(query: &str) -> Result<(), Fault> {
    let rows = database::query(query, &[])?.rows;
    let Some(Value::Text(text)) = rows.first().and_then(|row| row.first()) else {
        return Err(Fault::invalid("/tell", "the query gives no text"));
    };
    log::info(text);
    metrics::add("told", &[("what".to_owned(), text.clone())], 1.0);
    panic!("it is {text}");
}

/// Measures something.
pub fn measure(count: u64) {
    for index in 0..count {
        metrics::add(&format!("deeds_{index}"), &[], 1.0);
    }
    metrics::set("depth", &[("kind".to_owned(), "x".to_owned())], 2.0);
    metrics::observe("size", &[], 3.0);
}

/// Measures as much as it can, under as many names and labels as it can, right and wrong ones.
pub fn flood(word: &str) {
    let label = |value: String| [("id".to_owned(), value)];
    for index in 0..1_000 {
        metrics::add("flood", &label(format!("{word}-{index}")), 1.0);
        metrics::add("flood", &label("x".repeat(1 << 10)), 1.0);
        metrics::set(&format!("flood_{word}_{index}"), &[], 1.0);
        metrics::set("flood_total", &label(String::new()), 1.0);
        metrics::add("Flood!", &[], 1.0);
        metrics::set("nothing", &[], f64::NAN);
    }
}

/// Does what `config.do` says.
pub fn commit(config: &Json) -> Result<Outcome, Fault> {
    let count = config["n"].as_u64().unwrap_or(1);
    let text = config["sql"].as_str().unwrap_or("SELECT 1");
    match config["do"].as_str().unwrap_or_default() {
        "nothing" => {}
        "loop" => {
            let mut x = 0_u64;
            loop {
                x = black_box(x.wrapping_add(1));
            }
        }
        "loop-with-calls" => loop {
            black_box(call::run_id());
        },
        // Not a misdeed: what the benchmark counts.
        "calls" => {
            for _ in 0..count {
                black_box(call::attempt());
            }
        }
        "sleep" => {
            let _ = call::pause(Duration::from_millis(count));
        }
        "query" => {
            let mut rows = 0;
            for _ in 0..count {
                rows += database::query(text, &[Value::Integer(7)])?.rows.len() as u64;
            }
            return Ok(answer(rows, &Json::Null));
        }
        // One after the other, whatever becomes of each.
        "queries" => {
            for text in config["texts"].as_array().into_iter().flatten() {
                let _ = database::query(text.as_str().unwrap_or_default(), &[]);
            }
        }
        "query-pause" => {
            database::execute(text, &[])?;
            let _ = call::pause(Duration::from_millis(1));
        }
        "query-panic" => {
            for _ in 0..count {
                let _ = database::query(text, &[]);
            }
            panic!("after {count} queries");
        }
        "execute" => return Ok(answer(database::execute(text, &[])?, &Json::Null)),
        "commit" => database::commit(b"here", 1, Some(1))?,
        "rollback" => database::rollback()?,
        "insert" => {
            let rows = vec![vec![Value::Integer(1)]];
            return Ok(answer(
                database::insert("t", &["a".to_owned()], &rows)?,
                &Json::Null,
            ));
        }
        "checkpoint" => {
            let last = database::last_checkpoint();
            return Ok(answer(0, &json!({ "last": last })));
        }
        "dialect" => {
            let dialect = database::dialect();
            return Ok(answer(
                0,
                &json!({ "dialect": dialect, "quoted": database::quote("a\"b") }),
            ));
        }
        "memory" => {
            let mut keep: Vec<Vec<u8>> = Vec::new();
            loop {
                keep.push(vec![1; 1 << 20]);
                black_box(&keep);
            }
        }
        "log" => {
            let line = "x".repeat(config["size"].as_u64().unwrap_or(10) as usize);
            for _ in 0..count {
                log::info(&line);
            }
        }
        "giant-summary" => {
            let mut outcome = answer(0, &Json::Null);
            outcome.summary = "x".repeat(count as usize);
            return Ok(outcome);
        }
        "giant-undo" => {
            let mut outcome = answer(0, &Json::Null);
            outcome.undo = vec![0; count as usize];
            return Ok(outcome);
        }
        "bad-json" => {
            let mut outcome = answer(0, &Json::Null);
            outcome.details = "{".to_owned();
            return Ok(outcome);
        }
        "bad-text" => {
            let mut outcome = answer(0, &Json::Null);
            // SAFETY: none. That is the point: the host must notice.
            outcome.summary = unsafe { String::from_utf8_unchecked(vec![0xff, 0xfe]) };
            return Ok(outcome);
        }
        "recursion" => return Ok(answer(recurse(0), &Json::Null)),
        "panic" => panic!("on purpose"),
        "fault" => return Err(Fault::invalid("/do", "no such deed").with_hint("do another")),
        "clock" => return Ok(answer(clock::now(), &Json::Null)),
        "metrics" => measure(count),
        "http" => {
            let request = http::Request {
                method: "GET".to_owned(),
                url: "http://169.254.169.254/".to_owned(),
                headers: vec![],
                body: None,
                timeout_ms: None,
            };
            let fault = http::send(&request).unwrap_err();
            return Err(fault);
        }
        "sources" => {
            sources::query("other", "SELECT 1", &[])?;
        }
        "source-calls" => {
            let answers = [
                sources::dialect("other").map(|_| ()),
                sources::quote("other", "x").map(|_| ()),
                sources::pump("other", "SELECT 1", &[], "t", &[]).map(|_| ()),
            ];
            return Ok(answer(0, &json!(format!("{answers:?}"))));
        }
        "call" => {
            let seen = json!({
                "run": call::run_id(), "operation": call::operation_id(), "attempt": call::attempt(),
                "deadline": call::deadline(), "cancelled": call::is_cancelled(),
            });
            return Ok(answer(0, &seen));
        }
        "until-cancelled" => loop {
            call::check()?;
            call::pause(Duration::from_millis(5))?;
        },
        "lie" => return Ok(answer(u64::MAX, &Json::Null)),
        "lie-backwards" => {
            database::commit(b"a", 10, Some(5))?;
            database::commit(b"b", 3, None)?;
        }
        "lie-beyond" => database::commit(b"a", u64::MAX, None)?,
        "giant-checkpoint" => database::commit(&vec![0; count as usize], 1, None)?,
        "giant-statement" => {
            database::query(&"x".repeat(count as usize), &[])?;
        }
        other => return Err(Fault::invalid("/do", format!("unknown misdeed {other}"))),
    }
    Ok(answer(0, &Json::Null))
}
