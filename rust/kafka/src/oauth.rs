//! Tokens for SASL/OAUTHBEARER from a token endpoint: RFC 6749 section 4.4, the client credentials grant.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::client::OAuthToken;
use serde::Deserialize;
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::settings::{OauthSettings, Secret};

/// How long the endpoint may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A token whose endpoint does not say how long it lives.
const DEFAULT_SECONDS: u64 = 300;
/// Longer than any token lives.
const LONGEST_SECONDS: u64 = 366 * 24 * 3600;

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<u64>,
}

/// The authorities that the brokers' certificates come from, if they are said; else the system's.
fn roots(authorities: Option<&Secret>) -> RootCerts {
    let Some(pem) = authorities else { return RootCerts::PlatformVerifier };
    let certificates = parse_pem(pem.reveal().as_bytes()).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    RootCerts::Specific(Arc::new(certificates.collect()))
}

/// An endpoint as messages may show it: without a user, a password or a query.
pub(crate) fn shown(endpoint: &str) -> String {
    let end = endpoint.find(['?', '#']).unwrap_or(endpoint.len());
    let (scheme, rest) = endpoint[..end].split_once("://").unwrap_or(("", &endpoint[..end]));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// Asks for a token. The message of a failure names the endpoint, never the secret.
pub(crate) fn token(settings: &OauthSettings, authorities: Option<&Secret>) -> Result<OAuthToken, String> {
    let endpoint = shown(&settings.token_endpoint);
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .tls_config(TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots(authorities)).build())
        .build()
        .into();
    let mut form = vec![("grant_type", "client_credentials")];
    form.push(("client_id", &settings.client_id));
    form.push(("client_secret", settings.client_secret.reveal()));
    if !settings.scope.is_empty() {
        form.push(("scope", &settings.scope));
    }
    let mut response =
        agent.post(&settings.token_endpoint).send_form(form).map_err(|e| format!("token endpoint {endpoint}: {e}"))?;
    let text = response.body_mut().read_to_string().map_err(|e| format!("token endpoint {endpoint}: {e}"))?;
    let answer: Answer =
        serde_json::from_str(&text).map_err(|_| format!("token endpoint {endpoint} gave no access_token"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let lives = Duration::from_secs(answer.expires_in.unwrap_or(DEFAULT_SECONDS).min(LONGEST_SECONDS));
    Ok(OAuthToken {
        token: answer.access_token,
        principal_name: settings.client_id.clone(),
        lifetime_ms: i64::try_from((now + lives).as_millis()).unwrap_or(i64::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_shown_without_what_may_be_secret() {
        assert_eq!(
            shown("https://me:pw@login.example.com:8443/a/token?key=s#x"),
            "https://login.example.com:8443/a/token"
        );
        assert_eq!(shown("http://127.0.0.1:1/token"), "http://127.0.0.1:1/token");
    }
}
