//! The addresses at which the house is reached by browsers, opened with plain words for whoever
//! installs it when one is taken.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;

use anyhow::anyhow;
use media::{MediaConfig, MediaError, MediaHandle};
use model::media::MediaEvent;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::settings::{BROWSER_LISTEN, Media, Settings};
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
    if let Some(address) = settings.http.https {
        let tls = Tls::of_web(settings, address)?;
        let listener = listen(address, "--https").await?;
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

/// Starts the media plane with the address for the voice of browsers. Where nobody named one and
/// another house has the usual port, a free one does as well: pages are told it with each call.
pub(super) fn start_media(
    settings: &Media,
    events: mpsc::Sender<MediaEvent>,
) -> anyhow::Result<MediaHandle> {
    let config = media_config(settings);
    let voice = config.browser;
    let started = match media::start(config.clone(), events.clone()) {
        Err(MediaError::Browser(error))
            if settings.browser_listen.is_none() && error.kind() == ErrorKind::AddrInUse =>
        {
            let free = SocketAddr::new(voice.ip(), 0);
            let started = media::start(MediaConfig { browser: free, ..config }, events);
            started.inspect(|media| {
                let taken = media.browser_addr();
                tell(&format!("voice of browsers: udp {taken}, as {voice} is in use"));
            })
        }
        started => started,
    };
    started.map_err(|fault| match fault {
        MediaError::Browser(error) => anyhow!(
            "the address {voice} for the voice of browsers {}; name another in the settings: \
             media.browser_listen, or ANTIPHON_MEDIA__BROWSER_LISTEN=ADDR",
            busy(&error)
        ),
        other => other.into(),
    })
}

pub(super) fn media_config(media: &Media) -> MediaConfig {
    MediaConfig {
        bind: media.listen,
        advertise: media.advertise.unwrap_or(media.listen),
        rtp_ports: media.rtp_ports[0]..=media.rtp_ports[1],
        browser: media.browser_listen.unwrap_or(BROWSER_LISTEN),
        browser_advertise: media.browser_advertise,
        threads: media.threads,
        realtime: media.realtime,
    }
}

/// Why nothing can listen at an address.
fn busy(error: &Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => "is in use by another program".to_owned(),
        _ => format!("cannot be used ({error})"),
    }
}
