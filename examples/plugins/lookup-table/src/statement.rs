//! The statements of a migration: what leads from some rows to others. The same ones do in SQLite and in PostgreSQL.

use std::collections::BTreeMap;

use whimbrel_sdk::resource::plain_key;

/// Values by their keys.
pub type Rows = BTreeMap<String, String>;

/// Makes the table.
pub fn create(table: &str) -> String {
    let table = name(table);
    format!("CREATE TABLE {table} (key text PRIMARY KEY, value text NOT NULL);\n")
}

/// Takes the table away.
pub fn drop(table: &str) -> String {
    format!("DROP TABLE {};\n", name(table))
}

/// What makes one set of rows of another; nothing if they are the same.
pub fn change(table: &str, from: &Rows, to: &Rows) -> String {
    let table = name(table);
    let gone = from.keys().filter(|key| !to.contains_key(*key));
    let gone = gone.map(|key| format!("DELETE FROM {table} WHERE key = {};\n", key_text(key)));
    let there = to.iter().filter_map(|(key, value)| {
        let (quoted, new) = (key_text(key), text(value));
        match from.get(key) {
            Some(old) if old == value => None,
            Some(_) => Some(format!(
                "UPDATE {table} SET value = {new} WHERE key = {quoted};\n"
            )),
            None => Some(format!(
                "INSERT INTO {table} (key, value) VALUES ({quoted}, {new});\n"
            )),
        }
    });
    gone.chain(there).collect()
}

fn name(table: &str) -> String {
    format!("\"{}\"", table.replace('"', "\"\""))
}

fn key_text(key: &str) -> String {
    text(plain_key(key))
}

/// A text as SQL has it. `${` would be a parameter of the migration, also inside quotes, so it is put together there.
fn text(value: &str) -> String {
    let quoted = value.replace('\'', "''").replace("${", "$' || '{");
    format!("'{quoted}'")
}

#[cfg(test)]
mod tests {
    use super::{Rows, change};

    fn rows(all: &[(&str, &str)]) -> Rows {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        all.iter().map(owned).collect()
    }

    #[test]
    fn only_what_differs_is_said() {
        let old = rows(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let new = rows(&[("b", "it's"), ("c", "3"), ("d", "${x}"), ("$$e", "$")]);
        let expected = "DELETE FROM \"t\" WHERE key = 'a';\n\
                        INSERT INTO \"t\" (key, value) VALUES ('$e', '$');\n\
                        UPDATE \"t\" SET value = 'it''s' WHERE key = 'b';\n\
                        INSERT INTO \"t\" (key, value) VALUES ('d', '$' || '{x}');\n";
        assert_eq!(change("t", &old, &new), expected);
        assert_eq!(change("t", &new, &new), "");
    }
}
