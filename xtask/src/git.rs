//! What Git's servers and signatures are tested with: only that the programs are there.

use crate::failure::Result;
use crate::requirement;

/// Makes sure that repositories can be served over SSH and TLS, and commits signed.
pub fn present() -> Result {
    requirement::programs(&[
        ("git", "git"),
        ("sshd", "openssh-server"),
        ("ssh-keygen", "openssh-client"),
        ("gpg", "gnupg"),
        ("openssl", "openssl"),
    ])
}
