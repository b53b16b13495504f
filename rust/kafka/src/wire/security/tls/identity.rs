//! The certificate and private key that a client shows, out of PEM or a PKCS#12 store.

use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::ssl::SslContextBuilder;
use openssl::x509::X509;

use super::super::{text, wrong};
use super::{certificates, read, words};
use crate::error::KafkaFault;
use crate::settings::ClientSettings;

/// Whose words they are, for messages: Kafka's Java client has other names for the same things.
const ORIGIN: &str = "It comes from kafka.ssl.keystore.*, unless it was set itself";

struct Identity {
    /// The setting that it came from.
    option: &'static str,
    own: X509,
    /// Those that lead from its own certificate to an authority.
    chain: Vec<X509>,
    key: PKey<Private>,
}

/// Makes sessions show what the settings name, if they name anything.
pub(super) fn show(context: &mut SslContextBuilder, settings: &ClientSettings) -> Result<(), KafkaFault> {
    let Some(identity) = of(settings)? else { return Ok(()) };
    let option = identity.option;
    put(context, identity).map_err(|stack| {
        wrong(option, format!("certificate and private key can't be used together: {}. {ORIGIN}", words(&stack)))
    })
}

fn put(context: &mut SslContextBuilder, identity: Identity) -> Result<(), ErrorStack> {
    context.set_certificate(&identity.own)?;
    for certificate in identity.chain {
        context.add_extra_chain_cert(certificate)?;
    }
    context.set_private_key(&identity.key)?;
    context.check_private_key()
}

fn of(settings: &ClientSettings) -> Result<Option<Identity>, KafkaFault> {
    if let Some(file) = text(settings, "ssl.keystore.location")? {
        return from_store(file, text(settings, "ssl.keystore.password")?.unwrap_or_default()).map(Some);
    }
    let certificate = pem(settings, "ssl.certificate.pem", "ssl.certificate.location")?;
    let key = pem(settings, "ssl.key.pem", "ssl.key.location")?;
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some((option, certificate)), Some((key_option, key))) => {
            let mut found = certificates(option, &certificate)?.into_iter();
            let Some(own) = found.next() else { return Ok(None) };
            let key = private_key(key_option, &key, text(settings, "ssl.key.password")?)?;
            Ok(Some(Identity { option, own, chain: found.collect(), key }))
        }
        (Some(_), None) => Err(wrong("ssl.key.pem", format!("there is a certificate, but no private key. {ORIGIN}"))),
        (None, Some(_)) => {
            Err(wrong("ssl.certificate.pem", format!("there is a private key, but no certificate. {ORIGIN}")))
        }
    }
}

/// The name of the setting that is there, and what it holds or names.
fn pem(
    settings: &ClientSettings,
    inline: &'static str,
    location: &'static str,
) -> Result<Option<(&'static str, Vec<u8>)>, KafkaFault> {
    if let Some(pem) = text(settings, inline)? {
        return Ok(Some((inline, pem.as_bytes().to_vec())));
    }
    match text(settings, location)? {
        Some(file) => Ok(Some((location, read(location, file)?))),
        None => Ok(None),
    }
}

fn private_key(option: &str, pem: &[u8], password: Option<&str>) -> Result<PKey<Private>, KafkaFault> {
    const ENCRYPTED: &[u8] = b"ENCRYPTED";
    // Without a password OpenSSL would ask for one on the terminal: an empty one is given instead.
    PKey::private_key_from_pem_passphrase(pem, password.unwrap_or_default().as_bytes()).map_err(|stack| {
        if !pem.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED) {
            return wrong(
                option,
                format!("there is no private key in it that can be read: {}. {ORIGIN}", words(&stack)),
            );
        }
        match password {
            Some(_) => wrong("ssl.key.password", "it does not open the private key"),
            None => wrong("ssl.key.password", "it is missing, and the private key is encrypted"),
        }
    })
}

fn from_store(file: &str, password: &str) -> Result<Identity, KafkaFault> {
    const OPTION: &str = "ssl.keystore.location";
    let store = Pkcs12::from_der(&read(OPTION, file)?)
        .map_err(|stack| wrong(OPTION, format!("{file} is no PKCS#12 store: {}", words(&stack))))?;
    let found = store.parse2(password).map_err(|stack| {
        let message = format!("{file} can't be opened: {}. Check kafka.ssl.keystore.password", words(&stack));
        wrong(OPTION, message)
    })?;
    match (found.cert, found.pkey) {
        (Some(own), Some(key)) => {
            let chain = found.ca.into_iter().flatten().collect();
            Ok(Identity { option: OPTION, own, chain, key })
        }
        _ => Err(wrong(OPTION, format!("there is no private key with its certificate in {file}"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::super::{issued, settings};
    use super::*;

    fn found(properties: &[(&str, &str)]) -> Result<Option<Identity>, KafkaFault> {
        of(&settings(properties))
    }

    fn refused(properties: &[(&str, &str)]) -> String {
        match found(properties) {
            Ok(_) => String::new(),
            Err(fault) => fault.to_string(),
        }
    }

    #[test]
    fn a_key_and_its_chain_come_from_one_text_or_two_files() {
        let (authority, authority_key) = issued::authority("ca");
        let (own, key) = issued::signed("client", &authority, &authority_key);
        let chain = issued::pem(&own) + &issued::pem(&authority);
        let both = issued::open(&key) + &chain;
        let properties = [("ssl.certificate.pem", both.as_str()), ("ssl.key.pem", both.as_str())];
        let identity = found(&properties).unwrap().unwrap();
        assert_eq!((identity.own, identity.chain.len()), (own, 1));
        assert!(identity.key.public_eq(&key));

        let chain_file = issued::Scratch::new("chain.pem", chain.as_bytes());
        let key_file = issued::Scratch::new("key.pem", issued::locked(&key, "right").as_bytes());
        let mut files = vec![
            ("ssl.certificate.location", chain_file.path()),
            ("ssl.key.location", key_file.path()),
            ("ssl.key.password", "right"),
        ];
        assert!(found(&files).unwrap().unwrap().key.public_eq(&key));
        files[2].1 = "wrong";
        assert!(refused(&files).contains("kafka.ssl.key.password: it does not open"));
        files.truncate(2);
        assert!(refused(&files).contains("kafka.ssl.key.password: it is missing"));
        files.truncate(1);
        assert!(refused(&files).contains("kafka.ssl.key.pem: there is a certificate, but no private key"));
    }

    #[test]
    fn a_store_opens_with_its_password() {
        let (own, key) = issued::authority("client");
        let store = Pkcs12::builder().name("client").pkey(&key).cert(&own).build2("right").unwrap().to_der().unwrap();
        let file = issued::Scratch::new("client.p12", &store);
        let place = ("ssl.keystore.location", file.path());
        let identity = found(&[place, ("ssl.keystore.password", "right")]).unwrap().unwrap();
        assert!(identity.own == own && identity.key.public_eq(&key));
        let message = refused(&[place, ("ssl.keystore.password", "canary")]);
        assert!(message.contains("kafka.ssl.keystore.password") && !message.contains("canary"), "{message}");
        let no_store = issued::Scratch::new("no.p12", b"no store");
        assert!(refused(&[("ssl.keystore.location", no_store.path())]).contains("is no PKCS#12 store"));
    }

    #[test]
    fn a_key_of_somebody_else_is_refused() {
        let ((own, _), (_, strange)) = (issued::authority("client"), issued::authority("stranger"));
        let (certificate, key) = (issued::pem(&own), issued::open(&strange));
        let wanted = settings(&[("ssl.certificate.pem", certificate.as_str()), ("ssl.key.pem", key.as_str())]);
        let mut context = SslContextBuilder::new(openssl::ssl::SslMethod::tls_client()).unwrap();
        let message = show(&mut context, &wanted).unwrap_err().to_string();
        assert!(message.contains("can't be used together"), "{message}");
    }
}
