//! One lookup table: what Terraform says of it, and what that asks of the engine.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::resource::{Planned, Stored, has_unknown, is_unknown, unknown};
use whimbrel_sdk::serde_json;

use crate::kept::{Kept, Migration};

/// What makes it another table, or puts it elsewhere.
const IDENTITY: [&str; 4] = ["environment", "database", "url", "table"];
/// How its database is reached.
const REACHED: [&str; 3] = ["url", "username", "password"];
/// The longest name, so that a migration's fits, too.
const NAME: usize = 48;

/// Looks at a configuration.
///
/// # Errors
/// What is wrong with it.
pub fn valid(config: &Json) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if let Some(name) = config.get("name").and_then(Json::as_str)
        && (name.len() > NAME
            || !name.bytes().next().is_some_and(is_letter)
            || !name
                .bytes()
                .all(|byte| is_letter(byte) || byte.is_ascii_digit()))
    {
        let message = format!("expected at most {NAME} lower-case letters, digits and `_`");
        faults.push(Fault::invalid("/name", &message).with_hint("such as `currencies`"));
    }
    let password = config.get("password").and_then(Json::as_str);
    if password.is_some_and(|password| !password.starts_with("secret://")) {
        let message =
            "expected a reference to the password: the text itself would be kept in the state";
        faults.push(Fault::invalid("/password", message).with_hint("such as `secret://env/NAME`"));
    }
    let rows = config.get("rows").and_then(Json::as_object);
    for (key, value) in rows.into_iter().flatten() {
        if value.is_null() {
            let key = key.replace('~', "~0").replace('/', "~1");
            faults.push(Fault::invalid(
                &format!("/rows/{key}"),
                "expected a text, found null",
            ));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

/// What an apply will come to.
///
/// # Errors
/// The engine refuses it.
pub fn plan(prefix: &Json, prior: Option<&Stored>, proposed: Json) -> Result<Planned, Fault> {
    let mut state = proposed;
    if state
        .get("database")
        .is_none_or(|it| it.is_null() || is_unknown(it))
    {
        set(&mut state, "database", json!("main"));
    }
    let name = state.get("name").cloned().unwrap_or_default();
    set(&mut state, "table", named(prefix, &name));
    let mut planned = Planned::default();
    if let Some(prior) = prior {
        let changed = IDENTITY
            .iter()
            .filter(|name| prior.state.get(**name) != state.get(**name));
        planned.replace = changed.map(|name| format!("/{name}")).collect();
    }
    let before = prior.filter(|_| planned.replace.is_empty());
    set(&mut state, "id", Json::Null);
    set(&mut state, "revision", Json::Null);
    if has_unknown(&state) {
        set(&mut state, "id", unknown());
        set(&mut state, "revision", unknown());
        planned.stored.state = state;
        return Ok(planned);
    }
    let kept = before.map_or(Ok(Kept::default()), |prior| Kept::read(&prior.private))?;
    let known = kept.0.len();
    let table = Table { state, kept }.leading_to_its_rows()?;
    for migration in table.kept.0.iter().skip(known) {
        match engine::plan(&table.request(migration)) {
            // The database may be made by what is applied before this.
            Err(fault) if fault.class == FaultClass::Unavailable => {
                planned.warnings.push(("/url".to_owned(), fault.message));
            }
            answer => drop(answer?),
        }
    }
    planned.stored = table.stored()?;
    Ok(planned)
}

/// A table, and the migrations that make it.
pub struct Table {
    state: Json,
    kept: Kept,
}

impl Table {
    /// Reads what Terraform has of it.
    ///
    /// # Errors
    /// It isn't this plugin's.
    pub fn read(stored: Stored) -> Result<Self, Fault> {
        let kept = Kept::read(&stored.private)?;
        Ok(Self {
            state: stored.state,
            kept,
        })
    }

    /// Applies what isn't applied yet.
    ///
    /// # Errors
    /// Not all of it is applied; what is, stays.
    pub fn apply(mut self, prefix: &Json) -> Result<Stored, Fault> {
        // What was unknown when it was planned is known by now.
        let name = self.state.get("name").cloned().unwrap_or_default();
        set(&mut self.state, "table", named(prefix, &name));
        let table = self.leading_to_its_rows()?;
        for migration in &table.kept.0 {
            engine::apply(&table.request(migration))?;
        }
        table.stored()
    }

    /// The table as its database says; none if none of its migrations is applied.
    ///
    /// # Errors
    /// The database can't be looked at.
    pub fn found(mut self) -> Result<Option<Stored>, Fault> {
        while let Some(last) = self.kept.0.last() {
            let answer = engine::status(&self.request(last))?;
            if answer.get("state") == Some(&json!("applied")) {
                let (rows, revision) = (json!(self.kept.rows()), json!(self.kept.0.len()));
                set(&mut self.state, "rows", rows);
                set(&mut self.state, "revision", revision);
                return self.stored().map(Some);
            }
            self.kept.0.pop();
        }
        Ok(None)
    }

    /// Takes back every migration, the newest first. Its rows are all in Terraform.
    ///
    /// # Errors
    /// Not all of it could be taken back.
    pub fn take_back(self) -> Result<(), Fault> {
        for migration in self.kept.0.iter().rev() {
            engine::revert(&self.request(migration))?;
        }
        Ok(())
    }

    fn leading_to_its_rows(mut self) -> Result<Self, Fault> {
        let table = self.text("table").to_owned();
        let rows = self.state.get("rows").cloned().unwrap_or_default();
        self.kept = self.kept.leading_to(&table, &serde_json::from_value(rows)?);
        let revision = json!(self.kept.0.len());
        set(&mut self.state, "revision", revision);
        let id = ["environment", "database", "name"]
            .map(|name| self.text(name))
            .join(",");
        set(&mut self.state, "id", json!(id));
        Ok(self)
    }

    fn stored(self) -> Result<Stored, Fault> {
        let private = self.kept.write()?;
        Ok(Stored {
            state: self.state,
            private,
        })
    }

    fn request(&self, migration: &Migration) -> Json {
        let database = self.text("database");
        let reached = REACHED.map(|name| (name, self.state.get(name)));
        let reached = reached.into_iter().filter_map(|(name, value)| {
            let value = value.filter(|value| !value.is_null())?;
            Some((name.to_owned(), value.clone()))
        });
        json!({
            "environment": self.text("environment"),
            "databases": { database: Json::Object(reached.collect()) },
            "migration": {
                "name": migration.name, "database": database,
                "up": migration.up, "down": migration.down,
            },
            "allowDestructive": true,
        })
    }

    fn text(&self, name: &str) -> &str {
        self.state
            .get(name)
            .and_then(Json::as_str)
            .unwrap_or_default()
    }
}

/// What a table is called in its database.
fn named(prefix: &Json, name: &Json) -> Json {
    match (prefix, name) {
        (Json::String(prefix), Json::String(name)) => json!(format!("{prefix}{name}")),
        (Json::Null, name) => name.clone(),
        _ => unknown(),
    }
}

fn set(state: &mut Json, name: &str, value: Json) {
    if let Some(fields) = state.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}
