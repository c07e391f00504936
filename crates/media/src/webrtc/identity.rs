//! Who the house is towards browsers: one DTLS certificate per process, and the crypto behind it.
//!
//! Invariant: every leg of a process shows the same certificate, so making a leg costs no key.

use std::sync::{Arc, LazyLock};

use str0m::config::{CryptoProvider, DtlsCert};

/// What every leg is built with.
pub(super) struct Identity {
    /// The primitives, always named, so that a leg never depends on a process default.
    pub(super) crypto: Arc<CryptoProvider>,
    /// Self-signed; the browser trusts it by its fingerprint in our answer.
    pub(super) certificate: DtlsCert,
}

/// Made at first use and kept until the process ends. `None` when no key could be generated.
pub(super) static IDENTITY: LazyLock<Option<Identity>> = LazyLock::new(|| {
    let crypto = Arc::new(str0m::crypto::from_feature_flags());
    let certificate = crypto.dtls_provider.generate_certificate()?;
    Some(Identity { crypto, certificate })
});

/// Whether browser legs can be made at all; asked once, at start.
pub(crate) fn has_identity() -> bool {
    IDENTITY.is_some()
}

/// Makes aws-lc-rs the process default of rustls and str0m, and makes the house certificate.
///
/// The first thing `main` and every test harness does: two providers are linked, and without a
/// default the first TLS use would panic. Harmless when repeated or when a default exists.
pub fn install_crypto() {
    str0m::crypto::from_feature_flags().install_process_default();
    let already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    if already_installed.is_err() {
        tracing::debug!("rustls has a default provider already");
    }
    LazyLock::force(&IDENTITY);
}
