//! PLAIN: user and password as they are, in one message (RFC 4616).

use super::{Answer, Login, Say};
use crate::wire::WireError;

pub(super) fn speak(login: &Login, say: &mut Say<'_>) -> Result<Answer, WireError> {
    say(&message(login))
}

/// `[authzid] NUL authcid NUL passwd`; we act for nobody but ourselves. There is no NUL in either.
fn message(login: &Login) -> Vec<u8> {
    ["", login.user.reveal(), login.password.reveal()].join("\0").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Secret;

    #[test]
    fn user_and_password_in_one_message() {
        let login = Login { user: Secret::new("tim"), password: Secret::new("tanstaaftanstaaf") };
        assert_eq!(message(&login), b"\0tim\0tanstaaftanstaaf");
    }
}
