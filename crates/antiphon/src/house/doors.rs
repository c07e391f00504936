//! The addresses at which the house is reached by browsers, opened with plain words for whoever
//! installs it when one is taken.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;

use anyhow::anyhow;
use media::{MediaConfig, MediaError, MediaHandle};
use model::media::MediaEvent;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::settings::Settings;
use crate::tell;
use crate::tls::Tls;

/// The web interface, where it listens.
pub(super) struct Doors {
    pub(super) entries: Vec<api::Entry>,
    pub(super) http: SocketAddr,
    pub(super) https: Option<SocketAddr>,
}

/// Opens the addresses of the web interface.
pub(super) async fn open(settings: &Settings) -> anyhow::Result<Doors> {
    let listener = listen(settings.http.listen, "--http").await?;
    let http = listener.local_addr()?;
    let mut entries = vec![api::Entry { listener, tls: None }];
    let mut https = None;
    if let Some(tls) = Tls::of(settings)? {
        let listener = listen(tls.listen, "--https").await?;
        https = Some(listener.local_addr()?);
        if tls.own {
            tell("https: with a certificate of the house itself, which browsers warn about");
        }
        entries.push(api::Entry { listener, tls: Some(tls.config) });
    }
    Ok(Doors { entries, http, https })
}

async fn listen(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        anyhow!("the web address {address} {}; name another with {flag} ADDR", busy(&error))
    })
}

/// Starts the media plane with the address for the voice of browsers.
pub(super) fn start_media(
    config: MediaConfig,
    events: mpsc::Sender<MediaEvent>,
) -> anyhow::Result<MediaHandle> {
    let voice = config.browser;
    media::start(config, events).map_err(|fault| match fault {
        MediaError::Browser(error) => anyhow!(
            "the address {voice} for the voice of browsers {}; name another in the settings: \
             media.browser_listen, or ANTIPHON_MEDIA__BROWSER_LISTEN=ADDR",
            busy(&error)
        ),
        other => other.into(),
    })
}

/// Why nothing can listen at an address.
fn busy(error: &Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => "is in use by another program".to_owned(),
        _ => format!("cannot be used ({error})"),
    }
}
