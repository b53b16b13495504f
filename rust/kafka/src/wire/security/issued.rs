//! Certificates and keys for tests, made on the spot.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::symm::Cipher;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder, X509Ref};

/// A certificate that signs itself and others.
pub(crate) fn authority(name: &str) -> (X509, PKey<Private>) {
    issue(name, None)
}

/// A certificate for `name`, which may be an address, signed by an authority.
pub(crate) fn signed(name: &str, authority: &X509, key: &PKey<Private>) -> (X509, PKey<Private>) {
    issue(name, Some((authority, key)))
}

fn issue(name: &str, signer: Option<(&X509, &PKey<Private>)>) -> (X509, PKey<Private>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut serial = BigNum::new().unwrap();
    serial.rand(64, MsbOption::MAYBE_ZERO, false).unwrap();

    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(signer.map_or(&*subject, |(authority, _)| authority.subject_name())).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    let extension = match signer {
        None => BasicConstraints::new().critical().ca().build().unwrap(),
        Some((authority, _)) => {
            let mut names = SubjectAlternativeName::new();
            let is_address = name.parse::<std::net::IpAddr>().is_ok();
            let names = if is_address { names.ip(name) } else { names.dns(name) };
            let issuer: &X509Ref = authority;
            names.build(&builder.x509v3_context(Some(issuer), None)).unwrap()
        }
    };
    builder.append_extension(extension).unwrap();
    builder.sign(signer.map_or(&key, |(_, key)| key), MessageDigest::sha256()).unwrap();
    (builder.build(), key)
}

/// A certificate as PEM.
pub(crate) fn pem(certificate: &X509) -> String {
    String::from_utf8(certificate.to_pem().unwrap()).unwrap()
}

/// A private key as PEM that everybody can read.
pub(crate) fn open(key: &PKey<Private>) -> String {
    String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap()
}

/// A private key as PEM that only a password opens.
pub(crate) fn locked(key: &PKey<Private>, password: &str) -> String {
    let pem = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), password.as_bytes()).unwrap();
    String::from_utf8(pem).unwrap()
}

/// A file that is gone when this is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A file of its own, whose name ends as said.
    pub(crate) fn new(ending: &str, content: &[u8]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("firesteel-{}-{count}-{ending}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
