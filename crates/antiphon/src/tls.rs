//! TLS of the web interface and of telephones: with files of one's own, or at first with a
//! certificate that the house makes for itself, which browsers warn about once.
//!
//! Invariant: the key of a certificate of ours is readable by the owner of the data folder alone.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::Settings;

/// Years for which a certificate of our own is good: nobody is there to renew it in the night.
const YEARS: i32 = 10;

/// What browsers and telephones are spoken to with.
pub(crate) struct Tls {
    pub(crate) config: Arc<ServerConfig>,
    /// Whether the house made the certificate itself.
    pub(crate) own: bool,
}

impl Tls {
    /// As the settings say, for browsers that reach the house at `listen`.
    ///
    /// # Errors
    /// With the file that cannot be used.
    pub(crate) fn of_web(settings: &Settings, listen: SocketAddr) -> anyhow::Result<Self> {
        Self::of(settings, listen, vec![b"http/1.1".to_vec()])
    }

    /// The same for telephones.
    pub(crate) fn of_sip(settings: &Settings, listen: SocketAddr) -> anyhow::Result<Self> {
        // Whatever they call what they speak, they speak it with nobody else.
        Self::of(settings, listen, Vec::new())
    }

    fn of(
        settings: &Settings,
        listen: SocketAddr,
        protocols: Vec<Vec<u8>>,
    ) -> anyhow::Result<Self> {
        let folder = settings.data.dir.join("tls");
        let named = named(settings)?;
        let own = named.is_none();
        let (certificate, key) =
            named.unwrap_or_else(|| (folder.join("certificate.pem"), folder.join("key.pem")));
        if own && !certificate.exists() {
            make_own(&folder, listen)?;
        }
        let mut config = load(&certificate, &key)?;
        config.alpn_protocols = protocols;
        Ok(Self { config: Arc::new(config), own })
    }

    /// Fails where files are named that cannot be used.
    pub(crate) fn check(settings: &Settings) -> anyhow::Result<()> {
        named(settings)?.map_or(Ok(()), |(certificate, key)| load(&certificate, &key).map(drop))
    }
}

/// The files that somebody named.
fn named(settings: &Settings) -> anyhow::Result<Option<(PathBuf, PathBuf)>> {
    match (&settings.http.certificate, &settings.http.key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate.clone(), key.clone()))),
        (None, None) => Ok(None),
        _ => bail!("http.certificate and http.key belong together: name both files, or none"),
    }
}

fn load(certificate: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("the certificate {}", certificate.display()))?;
    let secret =
        PrivateKeyDer::from_pem_file(key).with_context(|| format!("the key {}", key.display()))?;
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .with_context(|| format!("{} and {}", certificate.display(), key.display()))
}

/// A certificate for this machine under the names by which others may reach it.
fn make_own(folder: &Path, listen: SocketAddr) -> anyhow::Result<()> {
    store::make_private_folder(folder)?;
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let ip = listen.ip();
    names.extend([host.trim().to_owned()].into_iter().filter(|name| !name.is_empty()));
    names.extend((!ip.is_unspecified() && !ip.is_loopback()).then(|| ip.to_string()));
    let mut params = CertificateParams::new(names)?;
    let year = i32::from(jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year());
    params.not_before = date_time_ymd(year - 1, 1, 1);
    params.not_after = date_time_ymd(year + YEARS, 1, 1);
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    write(&folder.join("key.pem"), &key.serialize_pem())?;
    // Last: where it is, its key is too.
    write(&folder.join("certificate.pem"), &certificate.pem())
}

/// Whole or not at all: half a file would stop every start after this one.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .with_context(|| unfinished.display().to_string())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_certificate_of_our_own_is_made_once_and_its_key_is_private() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut settings = Settings::default();
        settings.data.dir = dir.path().to_owned();
        let listen = SocketAddr::from(([0, 0, 0, 0], 8_443));
        let made = Tls::of_web(&settings, listen).expect("made");
        assert!(made.own);
        let (key, certificate) =
            (dir.path().join("tls/key.pem"), dir.path().join("tls/certificate.pem"));
        let mode = std::fs::metadata(&key).expect("a key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let first = std::fs::read(&certificate).expect("a certificate");
        let phones = Tls::of_sip(&settings, listen).expect("loaded");
        assert_eq!((made.config.alpn_protocols.len(), phones.config.alpn_protocols.len()), (1, 0));
        assert_eq!(std::fs::read(&certificate).expect("the same"), first);

        // The same files named by hand are somebody's own; half of them, or others, are none.
        settings.http.certificate = Some(certificate.clone());
        let half = Tls::of_web(&settings, listen).map(|_| ()).expect_err("half");
        assert!(half.to_string().contains("belong together"), "{half}");
        settings.http.key = Some(key);
        assert!(!Tls::of_web(&settings, listen).expect("loaded").own);
        settings.http.key = Some(certificate);
        let wrong = Tls::of_web(&settings, listen).map(|_| ()).expect_err("no key in it");
        assert!(format!("{wrong:#}").contains("the key "), "{wrong:#}");
    }
}
