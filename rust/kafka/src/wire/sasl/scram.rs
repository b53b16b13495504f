//! SCRAM: both sides prove that they know the password, and neither shows it (RFC 5802; with SHA-256 RFC 7677).
//!
//! As Kafka speaks it: without channel binding, and with names and passwords as they are, not normalised by SASLprep.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::memcmp;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkey::PKey;
use openssl::rand::rand_bytes;
use openssl::sign::Signer;

use super::{Answer, Login, Say};
use crate::wire::WireError;

/// Fewer rounds than the RFCs allow would let somebody who listens guess the password; Kafka makes no such credentials.
const LEAST_ROUNDS: usize = 4096;
/// A round takes about a microsecond. Kafka's own limit is 16,384.
const MOST_ROUNDS: usize = 1_000_000;
/// Random bytes in our nonce.
const NONCE_BYTES: usize = 24;
/// "No channel binding" as the messages have it: `n,,` in Base64.
const BINDING: &str = "biws";

/// Which hash is under it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn digest(self) -> MessageDigest {
        match self {
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }

    fn of(self, bytes: &[u8]) -> Result<Vec<u8>, WireError> {
        Ok(hash(self.digest(), bytes).map_err(|stack| failed(&stack))?.to_vec())
    }

    fn keyed(self, key: &[u8], bytes: &[u8]) -> Result<Vec<u8>, WireError> {
        let keyed = || {
            let key = PKey::hmac(key)?;
            let mut signer = Signer::new(self.digest(), &key)?;
            signer.update(bytes)?;
            signer.sign_to_vec()
        };
        keyed().map_err(|stack: ErrorStack| failed(&stack))
    }

    /// `Hi` of RFC 5802, which is PBKDF2.
    fn salted(self, password: &str, salt: &[u8], rounds: usize) -> Result<Vec<u8>, WireError> {
        let digest = self.digest();
        let mut salted = vec![0; digest.size()];
        pbkdf2_hmac(password.as_bytes(), salt, rounds, digest, &mut salted).map_err(|stack| failed(&stack))?;
        Ok(salted)
    }
}

pub(super) fn speak(hash: Hash, login: &Login, say: &mut Say<'_>) -> Result<Answer, WireError> {
    let mut nonce = [0; NONCE_BYTES];
    rand_bytes(&mut nonce).map_err(|stack| failed(&stack))?;
    Exchange::new(hash, login, STANDARD.encode(nonce)).speak(say)
}

/// One exchange. Messages are named as in RFC 5802, section 5.
struct Exchange<'a> {
    hash: Hash,
    login: &'a Login,
    nonce: String,
    client_first_bare: String,
}

impl<'a> Exchange<'a> {
    fn new(hash: Hash, login: &'a Login, nonce: String) -> Self {
        let client_first_bare = format!("n={},r={nonce}", escaped(login.user.reveal()));
        Self { hash, login, nonce, client_first_bare }
    }

    fn speak(&self, say: &mut Say<'_>) -> Result<Answer, WireError> {
        let server_first = say(format!("n,,{}", self.client_first_bare).as_bytes())?;
        let (client_final, signature) = self.client_final(server_first.text()?)?;
        let server_final = say(client_final.as_bytes())?;
        check_signature(server_final.text()?, &signature)?;
        Ok(server_final)
    }

    /// Our proof, and the signature that only a server which knows the password can give.
    fn client_final(&self, server_first: &str) -> Result<(String, Vec<u8>), WireError> {
        let Challenge { nonce, salt, rounds } = Challenge::read(server_first, &self.nonce)?;
        let without_proof = format!("c={BINDING},r={nonce}");
        let auth_message = format!("{},{server_first},{without_proof}", self.client_first_bare);
        let salted = self.hash.salted(self.login.password.reveal(), &salt, rounds)?;
        let client_key = self.hash.keyed(&salted, b"Client Key")?;
        let stored_key = self.hash.of(&client_key)?;
        let client_signature = self.hash.keyed(&stored_key, auth_message.as_bytes())?;
        let proof: Vec<u8> = client_key.iter().zip(&client_signature).map(|(key, signature)| key ^ signature).collect();
        let server_key = self.hash.keyed(&salted, b"Server Key")?;
        let server_signature = self.hash.keyed(&server_key, auth_message.as_bytes())?;
        Ok((format!("{without_proof},p={}", STANDARD.encode(proof)), server_signature))
    }
}

/// A server's first message.
struct Challenge<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    rounds: usize,
}

impl<'a> Challenge<'a> {
    fn read(message: &'a str, our_nonce: &str) -> Result<Self, WireError> {
        let mut parts = message.split(',');
        let mut part = |name: &str| parts.next().and_then(|part| part.strip_prefix(name));
        // What would stand before the nonce are extensions that whoever does not know them must not pass over.
        let nonce = part("r=").ok_or_else(|| distrusted("its first message does not begin with a nonce"))?;
        if nonce.len() <= our_nonce.len() || !nonce.starts_with(our_nonce) {
            return Err(distrusted("its nonce does not go on from ours"));
        }
        let salt = part("s=").and_then(|salt| STANDARD.decode(salt).ok()).filter(|salt| !salt.is_empty());
        let salt = salt.ok_or_else(|| distrusted("its first message has no salt"))?;
        let rounds = part("i=").and_then(|rounds| rounds.parse::<usize>().ok());
        let rounds = rounds.ok_or_else(|| distrusted("its first message has no number of rounds"))?;
        if !(LEAST_ROUNDS..=MOST_ROUNDS).contains(&rounds) {
            let wanted = format!("it wants {rounds} rounds, not {LEAST_ROUNDS} to {MOST_ROUNDS}");
            return Err(distrusted(&wanted));
        }
        Ok(Self { nonce, salt, rounds })
    }
}

/// Reads a server's last message.
fn check_signature(server_final: &str, expected: &[u8]) -> Result<(), WireError> {
    let first = server_final.split(',').next().unwrap_or_default();
    if let Some(error) = first.strip_prefix("e=") {
        return Err(WireError::Refused(format!("SCRAM: {error}")));
    }
    let signature = first.strip_prefix("v=").and_then(|signature| STANDARD.decode(signature).ok());
    match signature {
        Some(found) if found.len() == expected.len() && memcmp::eq(&found, expected) => Ok(()),
        _ => Err(distrusted("its signature is wrong: it does not know the password")),
    }
}

/// A name as an attribute holds it.
fn escaped(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

fn distrusted(why: &str) -> WireError {
    WireError::Refused(format!("the broker does not speak SCRAM as it should: {why}"))
}

fn failed(stack: &ErrorStack) -> WireError {
    WireError::Io(std::io::Error::other(format!("OpenSSL can't compute: {stack}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::settings::Secret;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn login() -> Login {
        Login { user: Secret::new("user"), password: Secret::new("pencil") }
    }

    /// What is sent to a server that says these things, and how it ends.
    fn exchange(hash: Hash, server: [&str; 2]) -> (Vec<String>, Result<Answer, WireError>) {
        let mut sent = Vec::new();
        let login = login();
        let outcome = Exchange::new(hash, &login, NONCE.to_owned()).speak(&mut |message: &[u8]| {
            sent.push(String::from_utf8(message.to_vec()).unwrap());
            Ok(Answer { bytes: server[sent.len() - 1].as_bytes().to_vec(), session: None })
        });
        (sent, outcome)
    }

    /// The example of RFC 7677, section 3; with SHA-512 the same words, computed with Python's hashlib and hmac.
    const EXAMPLES: [(Hash, &str, &str); 2] = [
        (
            Hash::Sha256,
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
        (
            Hash::Sha512,
            "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
            "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==",
        ),
    ];

    #[test]
    fn the_published_exchange() {
        for (hash, proof, server_final) in EXAMPLES {
            let (sent, outcome) = exchange(hash, [SERVER_FIRST, server_final]);
            assert_eq!(sent[0], "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
            let expected = format!("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p={proof}");
            assert_eq!(sent[1], expected);
            outcome.unwrap();
        }
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_refused() {
        let swapped = EXAMPLES[1].2;
        for server_final in [swapped, "v=AAAA", "v=", "v=?", "", "e=invalid-proof"] {
            let (_, outcome) = exchange(Hash::Sha256, [SERVER_FIRST, server_final]);
            assert!(matches!(outcome, Err(WireError::Refused(_))), "{server_final}: {outcome:?}");
        }
    }

    #[test]
    fn a_challenge_that_is_not_to_be_trusted_gets_no_proof() {
        let good = "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=";
        let bad = [
            "r=otherNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".to_owned(),
            "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".to_owned(),
            format!("m=new,{good}4096"),
            "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096".to_owned(),
            format!("{good}4095"),
            format!("{good}1000001"),
            format!("{good}-1"),
            good.to_owned(),
            String::new(),
        ];
        for server_first in &bad {
            let (sent, outcome) = exchange(Hash::Sha256, [server_first.as_str(), ""]);
            assert!(matches!(outcome, Err(WireError::Refused(_))), "{server_first}: {outcome:?}");
            assert_eq!(sent.len(), 1, "{server_first}");
        }
    }

    #[test]
    fn names_are_escaped_and_nonces_differ() {
        assert_eq!(escaped("a=b,c=2C"), "a=3Db=2Cc=3D2C");
        let nonce = || {
            let mut first = String::new();
            let _ = speak(Hash::Sha512, &login(), &mut |message: &[u8]| {
                first = String::from_utf8(message.to_vec()).unwrap();
                Err(WireError::SHORT)
            });
            first
        };
        let (one, other) = (nonce(), nonce());
        assert!(one.starts_with("n,,n=user,r=") && one.len() == "n,,n=user,r=".len() + 32, "{one}");
        assert_ne!(one, other);
    }
}
