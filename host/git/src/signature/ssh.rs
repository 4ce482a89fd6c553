//! SSH signatures. Source: ssh-keygen(1), "ALLOWED SIGNERS", and PROTOCOL.sshsig.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::{Algorithm, HashAlg, PublicKey, SshSig};

use super::{SignatureProblem, SignersError};
use crate::remote::wildcard;

/// What Git's signatures are for.
pub(super) const NAMESPACE: &str = "git";

/// Who may sign with which key.
#[derive(Clone, Debug, Default)]
pub(super) struct AllowedSigners(Vec<Allowed>);

#[derive(Clone, Debug)]
struct Allowed {
    principals: String,
    namespaces: Option<String>,
    /// Seconds since 1970.
    valid_after: Option<i64>,
    valid_before: Option<i64>,
    key: PublicKey,
}

impl AllowedSigners {
    /// One key, which counts at any time.
    pub(super) fn only(key: PublicKey) -> Self {
        Self(vec![Allowed {
            principals: key.fingerprint(HashAlg::Sha256).to_string(),
            namespaces: None,
            valid_after: None,
            valid_before: None,
            key,
        }])
    }

    pub(super) fn parse(text: &str) -> Result<Self, SignersError> {
        let mut all = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let read = allowed(line).map_err(|problem| SignersError::AllowedSigners {
                line: index + 1,
                problem,
            })?;
            all.push(read);
        }
        Ok(Self(all))
    }

    /// Who signed, and the key's fingerprint.
    pub(super) fn verify(
        &self,
        signature: &str,
        content: &[u8],
        at: i64,
    ) -> Result<(String, String), SignatureProblem> {
        let unreadable = |error: ssh_key::Error| SignatureProblem::Unreadable(error.to_string());
        let signature = SshSig::from_pem(signature.trim()).map_err(unreadable)?;
        let key = PublicKey::from(signature.public_key().clone());
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        if signature.algorithm() == (Algorithm::Rsa { hash: None }) {
            return Err(SignatureProblem::Wrong("it uses SHA-1".to_owned()));
        }
        if signature.namespace() != NAMESPACE {
            return Err(SignatureProblem::NotAllowed(format!(
                "it is for `{}` and not for Git",
                signature.namespace()
            )));
        }
        key.verify(NAMESPACE, content, &signature)
            .map_err(|error| SignatureProblem::Wrong(error.to_string()))?;
        let mut listed = self
            .0
            .iter()
            .filter(|entry| entry.key.key_data() == key.key_data())
            .peekable();
        if listed.peek().is_none() {
            return Err(SignatureProblem::UnknownKey(fingerprint));
        }
        let mut why = String::new();
        for entry in listed {
            match entry.refuses(at) {
                None => return Ok((entry.principals.clone(), fingerprint)),
                Some(problem) => why = problem,
            }
        }
        Err(SignatureProblem::NotAllowed(format!(
            "{why} ({fingerprint})"
        )))
    }
}

impl Allowed {
    /// Why the key doesn't count for a commit of Git at a time.
    fn refuses(&self, at: i64) -> Option<String> {
        let listed = |namespaces: &String| {
            namespaces
                .split(',')
                .any(|pattern| wildcard(pattern, NAMESPACE))
        };
        if !self.namespaces.as_ref().is_none_or(listed) {
            return Some("it is listed for other namespaces".to_owned());
        }
        if self.valid_after.is_some_and(|after| at < after) {
            return Some("it was not valid yet when the commit was made".to_owned());
        }
        if self.valid_before.is_some_and(|before| at >= before) {
            return Some("it was no longer valid when the commit was made".to_owned());
        }
        None
    }
}

fn allowed(line: &str) -> Result<Allowed, String> {
    let (principals, rest) = word(line)?;
    let mut entry = Allowed {
        principals,
        namespaces: None,
        valid_after: None,
        valid_before: None,
        // Replaced below; a key has no empty form.
        key: key(last_two(rest))?,
    };
    let options = rest
        .get(..rest.len() - last_two(rest).len())
        .unwrap_or_default();
    for option in split(options.trim()) {
        let (name, value) = option.split_once('=').unwrap_or((&option, ""));
        let value = value.trim_matches('"').to_owned();
        match name.to_ascii_lowercase().as_str() {
            "namespaces" => entry.namespaces = Some(value),
            "valid-after" => entry.valid_after = Some(time(&value)?),
            "valid-before" => entry.valid_before = Some(time(&value)?),
            "cert-authority" => {
                return Err(
                    "certificates (`cert-authority`) are not read; list the keys".to_owned(),
                );
            }
            other => return Err(format!("there is no option `{other}`")),
        }
    }
    Ok(entry)
}

fn key(text: &str) -> Result<PublicKey, String> {
    PublicKey::from_openssh(text.trim()).map_err(|error| format!("its key can't be read: {error}"))
}

/// Where the key begins: at the first word that is a kind of key.
fn last_two(rest: &str) -> &str {
    let kinds = ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"];
    let mut from = 0;
    let mut quoted = false;
    for (index, symbol) in rest.char_indices() {
        match symbol {
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => from = index + 1,
            _ if index == from && !quoted => {
                let here = rest.get(index..).unwrap_or_default();
                if kinds.iter().any(|kind| here.starts_with(kind)) {
                    return here;
                }
            }
            _ => {}
        }
    }
    ""
}

/// The first word, which may be in quotes.
fn word(line: &str) -> Result<(String, &str), String> {
    let missing = || "it needs a principal and a key".to_owned();
    if let Some(rest) = line.strip_prefix('"') {
        let (word, rest) = rest.split_once('"').ok_or_else(missing)?;
        return Ok((word.to_owned(), rest.trim_start()));
    }
    let (word, rest) = line.split_once([' ', '\t']).ok_or_else(missing)?;
    Ok((word.to_owned(), rest.trim_start()))
}

/// Options between commas that are not in quotes.
fn split(options: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut quoted = false;
    for symbol in options.chars() {
        match symbol {
            '"' => quoted = !quoted,
            ',' | ' ' | '\t' if !quoted => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = all.last_mut() {
            last.push(symbol);
        }
    }
    all.retain(|option| !option.is_empty());
    all
}

/// `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, of this machine's time zone or with a `Z` of UTC, in seconds.
fn time(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no time such as 20260131 or 20260131120000Z");
    let (digits, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, TimeZone::UTC),
        None => (text, TimeZone::system()),
    };
    let format = match digits.len() {
        8 => "%Y%m%d",
        12 => "%Y%m%d%H%M",
        14 => "%Y%m%d%H%M%S",
        _ => return Err(wrong()),
    };
    let civil = if digits.len() == 8 {
        jiff::civil::Date::strptime(format, digits).map(|date| date.at(0, 0, 0, 0))
    } else {
        DateTime::strptime(format, digits)
    };
    let zoned = civil
        .and_then(|civil| civil.to_zoned(zone))
        .map_err(|_| wrong())?;
    Ok(zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::{AllowedSigners, time};

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn reads_what_ssh_keygen_reads() {
        let text = format!(
            "# ours\n\nada@example.org {KEY} comment\n\"bob the builder\",*@x.org namespaces=\"git,file\",valid-after=\"20260101Z\",valid-before=\"20270101\" {KEY}\n"
        );
        // A quoted list of principals is one word.
        let text = text.replace("\"bob the builder\",*@x.org", "\"bob the builder,*@x.org\"");
        let read = AllowedSigners::parse(&text).unwrap();
        assert_eq!(read.0.len(), 2);
        assert_eq!(read.0[1].principals, "bob the builder,*@x.org");
        assert_eq!(read.0[1].namespaces.as_deref(), Some("git,file"));
        assert_eq!(read.0[1].valid_after, Some(1_767_225_600));
        assert!(
            read.0[1]
                .refuses(1_767_225_599)
                .unwrap()
                .contains("not valid yet")
        );
        assert_eq!(read.0[1].refuses(1_767_225_600), None);
    }

    #[test]
    fn says_which_line_is_wrong() {
        for line in [
            "ada@example.org",
            "ada@example.org nonsense",
            &format!("ada@example.org cert-authority {KEY}"),
            &format!("ada@example.org sometimes {KEY}"),
            &format!("ada@example.org valid-after=\"soon\" {KEY}"),
            &format!("\"ada@example.org {KEY}"),
        ] {
            let said = AllowedSigners::parse(&format!("# one\n{line}"))
                .unwrap_err()
                .to_string();
            assert!(said.starts_with("line 2"), "{said}");
        }
    }

    #[test]
    fn times_are_local_or_of_utc() {
        assert_eq!(time("19700101000010Z").unwrap(), 10);
        assert_eq!(time("197001010001Z").unwrap(), 60);
        assert!(time("19701301Z").is_err());
        assert!(time("1970").is_err());
    }
}
