//! TLS as a client's settings want it: whom it trusts, which ciphers it takes, whose names it checks.

mod identity;

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use openssl::error::ErrorStack;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslFiletype, SslMethod, SslMode, SslOptions, SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use openssl::x509::store::X509Lookup;
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags};

use super::{flag, refuse_others, text, wrong};
use crate::error::KafkaFault;
use crate::settings::ClientSettings;

/// Settings that mean something here. Providers are for keys in hardware, which OpenSSL from its sources has none for;
/// the certificate stores are those of Windows.
const HONOURED: [&str; 16] = [
    "ssl.ca.certificate.stores",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.cipher.suites",
    "ssl.crl.location",
    "ssl.curves.list",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.providers",
    "ssl.sigalgs.list",
];

/// What all TLS sessions of a consumer share.
#[derive(Debug)]
pub(crate) struct Tls {
    context: SslContext,
    /// Whether the broker's certificate must be for the name that it was called by.
    checks_name: bool,
}

impl Tls {
    /// Reads files and keys.
    pub(super) fn of(settings: &ClientSettings) -> Result<Self, KafkaFault> {
        refuse_others(settings, "ssl.", |name| HONOURED.contains(&name))?;
        let mut context =
            plain_context().map_err(|stack| KafkaFault::other("OpenSSL can't be set up", words(&stack)))?;
        choose(&mut context, settings)?;
        trust(&mut context, settings)?;
        identity::show(&mut context, settings)?;
        Ok(Self { context: context.build(), checks_name: checks_name(settings)? })
    }

    /// A session with `host`, before its handshake. A name goes along as Server Name Indication; an address does not
    /// (RFC 6066, section 3).
    pub(crate) fn session(&self, host: &str) -> Result<Ssl, ErrorStack> {
        let mut session = Ssl::new(&self.context)?;
        let name = host.trim_end_matches('.');
        let address = name.parse::<IpAddr>().ok();
        if address.is_none() {
            session.set_hostname(name)?;
        }
        if self.checks_name {
            let wanted = session.param_mut();
            wanted.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
            match address {
                Some(address) => wanted.set_ip(address)?,
                None => wanted.set_host(name)?,
            }
        }
        Ok(session)
    }
}

fn plain_context() -> Result<SslContextBuilder, ErrorStack> {
    let mut context = SslContextBuilder::new(SslMethod::tls_client())?;
    context.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    context.set_options(SslOptions::NO_COMPRESSION);
    context.set_mode(SslMode::AUTO_RETRY | SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER);
    // As much as the socket has at once, where OpenSSL would ask it for a record's header and its content in turn.
    context.set_read_ahead(true);
    Ok(context)
}

fn choose(context: &mut SslContextBuilder, settings: &ClientSettings) -> Result<(), KafkaFault> {
    let refused = |option, list: &str, stack: ErrorStack| {
        wrong(option, format!("{list} is refused: {}. Write OpenSSL's names with a colon between them", words(&stack)))
    };
    if let Some(list) = text(settings, "ssl.cipher.suites")? {
        context.set_cipher_list(list).map_err(|stack| refused("ssl.cipher.suites", list, stack))?;
    }
    if let Some(list) = text(settings, "ssl.curves.list")? {
        context.set_groups_list(list).map_err(|stack| refused("ssl.curves.list", list, stack))?;
    }
    if let Some(list) = text(settings, "ssl.sigalgs.list")? {
        context.set_sigalgs_list(list).map_err(|stack| refused("ssl.sigalgs.list", list, stack))?;
    }
    Ok(())
}

fn trust(context: &mut SslContextBuilder, settings: &ClientSettings) -> Result<(), KafkaFault> {
    let checked = flag(settings, "enable.ssl.certificate.verification", true)?;
    context.set_verify(if checked { SslVerifyMode::PEER } else { SslVerifyMode::NONE });
    let location = text(settings, "ssl.ca.location")?.filter(|location| *location != "probe");
    let pem = text(settings, "ssl.ca.pem")?;
    match location {
        Some(folder) if Path::new(folder).is_dir() => context
            .load_verify_locations(None, Some(Path::new(folder)))
            .map_err(|stack| wrong("ssl.ca.location", format!("{folder} can't be used: {}", words(&stack))))?,
        Some(file) => add_authorities(context, "ssl.ca.location", &read("ssl.ca.location", file)?)?,
        None => {}
    }
    if let Some(pem) = pem {
        add_authorities(context, "ssl.ca.pem", pem.as_bytes())?;
    }
    if location.is_none() && pem.is_none() {
        trust_as_the_system_does(context);
    }
    if let Some(file) = text(settings, "ssl.crl.location")? {
        revoke(context, file)
            .map_err(|stack| wrong("ssl.crl.location", format!("{file} can't be used: {}", words(&stack))))?;
    }
    Ok(())
}

fn add_authorities(context: &mut SslContextBuilder, option: &str, pem: &[u8]) -> Result<(), KafkaFault> {
    for authority in certificates(option, pem)? {
        context
            .cert_store_mut()
            .add_cert(authority)
            .map_err(|stack| wrong(option, format!("a certificate in it can't be used: {}", words(&stack))))?;
    }
    Ok(())
}

/// OpenSSL from its sources does not know where this system keeps its authorities. Without any, every certificate is
/// refused later, with a reason.
fn trust_as_the_system_does(context: &mut SslContextBuilder) {
    let found = openssl_probe::probe();
    let mut any = false;
    if let Some(file) = found.cert_file.as_deref()
        && is_usable(file)
    {
        any |= context.load_verify_locations(Some(file), None).is_ok();
    }
    for folder in &found.cert_dir {
        any |= is_usable(folder) && context.load_verify_locations(None, Some(folder.as_path())).is_ok();
    }
    if !any {
        let _ = context.set_default_verify_paths();
    }
}

/// Whether OpenSSL's bindings take a path, which a variable of the environment may have given.
fn is_usable(path: &Path) -> bool {
    path.to_str().is_some_and(|text| !text.contains('\0'))
}

/// Checks the broker's certificate against the lists of revoked ones in a file.
fn revoke(context: &mut SslContextBuilder, file: &str) -> Result<(), ErrorStack> {
    let store = context.cert_store_mut();
    store.add_lookup(X509Lookup::file())?.load_crl_file(file, SslFiletype::PEM)?;
    store.set_flags(X509VerifyFlags::CRL_CHECK)
}

fn checks_name(settings: &ClientSettings) -> Result<bool, KafkaFault> {
    const OPTION: &str = "ssl.endpoint.identification.algorithm";
    match text(settings, OPTION)?.unwrap_or("https").trim().to_ascii_lowercase().as_str() {
        "https" => Ok(true),
        "none" => Ok(false),
        other => Err(wrong(OPTION, format!("wanted https, or the empty text for none, but it is: {other}"))),
    }
}

/// The certificates of a PEM text, which may hold other things too.
fn certificates(option: &str, pem: &[u8]) -> Result<Vec<X509>, KafkaFault> {
    let found = X509::stack_from_pem(pem)
        .map_err(|stack| wrong(option, format!("a certificate in it can't be read: {}", words(&stack))))?;
    if found.is_empty() {
        return Err(wrong(option, "there is no certificate in it. Wanted PEM: -----BEGIN CERTIFICATE-----"));
    }
    Ok(found)
}

fn read(option: &str, file: &str) -> Result<Vec<u8>, KafkaFault> {
    fs::read(file).map_err(|error| wrong(option, format!("{file} can't be read on this machine: {error}")))
}

/// OpenSSL's reasons, which name no values.
pub(in crate::wire) fn words(stack: &ErrorStack) -> String {
    let reasons: Vec<&str> = stack.errors().iter().filter_map(|error| error.reason()).collect();
    if reasons.is_empty() { "OpenSSL gives no reason".to_owned() } else { reasons.join(", ") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{issued, settings};
    use super::*;

    fn refused(properties: &[(&str, &str)]) -> String {
        Tls::of(&settings(properties)).unwrap_err().to_string()
    }

    #[test]
    fn authorities_come_from_a_text_a_file_or_the_system() {
        let (authority, _) = issued::authority("ca");
        let pem = issued::pem(&authority);
        let file = issued::Scratch::new("ca.pem", pem.as_bytes());
        for properties in [&[("ssl.ca.pem", pem.as_str())][..], &[("ssl.ca.location", file.path())], &[]] {
            assert!(Tls::of(&settings(properties)).is_ok(), "{properties:?}");
        }
        assert!(refused(&[("ssl.ca.pem", "no certificate")]).contains("kafka.ssl.ca.pem: there is no certificate"));
        let message = refused(&[("ssl.ca.location", "/no/such/ca.pem")]);
        assert!(message.contains("kafka.ssl.ca.location: /no/such/ca.pem can't be read"), "{message}");
        let message = refused(&[("ssl.crl.location", "/no/such/list.pem")]);
        assert!(message.contains("kafka.ssl.crl.location: /no/such/list.pem"), "{message}");
    }

    #[test]
    fn lists_of_ciphers_curves_and_signatures_are_taken_or_refused() {
        let lists = [
            ("ssl.cipher.suites", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"),
            ("ssl.curves.list", "P-256:P-384"),
            ("ssl.sigalgs.list", "ECDSA+SHA256:RSA+SHA256"),
        ];
        assert!(Tls::of(&settings(&lists)).is_ok());
        for (name, _) in lists {
            let message = refused(&[(name, "nonsense")]);
            assert!(message.contains(&format!("kafka.{name}: nonsense is refused: ")), "{message}");
        }
    }
}
