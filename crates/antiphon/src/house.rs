//! Wiring: opens the record, starts the planes, the hub and the web server, and stops them again.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use hub::{HouseKey, Hub, Ports};
use media::{MediaConfig, MediaHandle};
use model::time::Timestamp;
use sip::{SipConfig, SipHandle};
use store::{SetupToken, Store};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing_subscriber::EnvFilter;

use crate::company;
use crate::ports::{Files, Running};
use crate::settings::Settings;
use crate::tell;

/// Events of the media plane that may wait for the hub.
const MEDIA_EVENTS_WAITING: usize = 65_536;

/// What happens when there is no tenant yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstStart {
    /// A token is told on the console, and the page asks for it.
    Token,
    /// Whoever starts the house makes the tenant.
    Furnished,
}

/// A running house.
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) hub: Hub,
    pub(crate) http: SocketAddr,
    pub(crate) sip_address: SocketAddr,
    sip: Arc<SipHandle>,
    media: Arc<MediaHandle>,
    server: JoinHandle<std::io::Result<()>>,
    stop_server: tokio::sync::watch::Sender<bool>,
}

/// Logs to the error stream; the SIP stack only from warnings up, because it prints whole messages
/// with their keys.
pub(crate) fn log_to_stderr() {
    let wanted = std::env::var("ANTIPHON_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::new(format!("{wanted},rsipstack=warn,str0m=warn,sqlx=warn"));
    let format = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call (tests) leaves the first in force.
    let _ = format.try_init();
}

impl House {
    /// Starts everything. Nothing is left running when it fails.
    pub(crate) async fn start(settings: &Settings, first: FirstStart) -> anyhow::Result<Self> {
        let dir = &settings.data.dir;
        std::fs::create_dir_all(dir)
            .with_context(|| format!("the data folder {} cannot be made", dir.display()))?;
        let key = HouseKey::load_or_create(&settings.key_file())?;
        let store = Store::open(dir).await?;
        let (media_events, from_media) = mpsc::channel(MEDIA_EVENTS_WAITING);
        let media = Arc::new(media::start(media_config(settings), media_events)?);
        let (sip, from_sip) = sip::start(sip_config(settings)?).await?;
        let sip = Arc::new(sip);
        let (to_sip, to_media) = (sip.clone(), media.clone());
        let ports = Ports {
            sip: Arc::new(move |command| to_sip.send(command).is_ok()),
            media: Arc::new(move |command| to_media.send(command).is_ok()),
        };
        let hub = Hub::start(hub::Parts {
            store: store.clone(),
            data_dir: dir.clone(),
            key,
            ports,
            sip_events: from_sip,
            media_events: from_media,
        })
        .await?;
        let listener = TcpListener::bind(settings.http.listen).await.with_context(|| {
            format!(
                "the web address {} is taken; name another with --http ADDRESS:PORT",
                settings.http.listen
            )
        })?;
        let http = listener.local_addr()?;
        let (stop_server, mut stopped) = tokio::sync::watch::channel(false);
        let running = Running { hub: hub.clone(), sip: sip.clone(), media: media.clone() };
        let setup = match first {
            FirstStart::Token => first_start(&store, hub.now()).await?,
            FirstStart::Furnished => None,
        };
        let app = api::app(api::Parts {
            store: store.clone(),
            floor: Arc::new(running),
            sound: Arc::new(Files),
            setup,
            starter: tokio::task::spawn_blocking(company::starter).await??,
            proxies: proxies(settings)?,
        });
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        let server = axum::serve(listener, service).with_graceful_shutdown(async move {
            // A dropped sender is a stop as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        });
        let server = tokio::spawn(async move { server.await });
        let sip_address = sip.local_addr();
        Ok(Self { store, hub, http, sip_address, sip, media, server, stop_server })
    }

    /// Stops everything in the order that loses nothing: no new calls, then the cells, then the
    /// recordings, then the record.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.stop_server.send_replace(true);
        if let Some(sip) = Arc::into_inner(self.sip) {
            sip.shutdown().await;
        }
        self.hub.stop().await;
        if let Some(media) = Arc::into_inner(self.media) {
            tokio::task::spawn_blocking(move || media.stop()).await?;
        }
        self.store.close().await;
        self.server.abort();
        Ok(())
    }
}

/// The secret of the first start, told on the console, while there is no tenant.
async fn first_start(store: &Store, now: Timestamp) -> anyhow::Result<Option<SetupToken>> {
    if !store.tenants().await?.is_empty() {
        return Ok(None);
    }
    let (kept, token) = SetupToken::make(now);
    tell(&format!("first start: open the page and enter this token: {}", token.reveal()));
    tell("it is good for 15 minutes");
    Ok(Some(kept))
}

fn proxies(settings: &Settings) -> anyhow::Result<Vec<api::Network>> {
    let network = |text: &String| {
        text.parse().map_err(|error| anyhow!("http.behind_proxy: `{text}`: {error}"))
    };
    settings.http.behind_proxy.iter().map(network).collect()
}

fn media_config(settings: &Settings) -> MediaConfig {
    let media = &settings.media;
    MediaConfig {
        bind: media.listen,
        advertise: media.advertise.unwrap_or(media.listen),
        rtp_ports: media.rtp_ports[0]..=media.rtp_ports[1],
        browser: media.browser_listen,
        browser_advertise: media.browser_advertise,
        threads: media.threads,
        realtime: media.realtime,
    }
}

fn sip_config(settings: &Settings) -> anyhow::Result<SipConfig> {
    let network = |text: &String| {
        text.parse().map_err(|_| anyhow!("sip.trusted: `{text}` is no network like 10.0.0.0/8"))
    };
    let trusted = settings.sip.trusted.iter().map(network).collect::<Result<Vec<_>, _>>()?;
    Ok(SipConfig {
        bind: settings.sip.listen,
        advertise: settings.sip.advertise,
        trusted,
        ..SipConfig::default()
    })
}

/// `antiphon serve`.
pub(crate) async fn serve(settings: Settings) -> anyhow::Result<()> {
    let house = House::start(&settings, FirstStart::Token).await?;
    let mut greeting = String::new();
    writeln!(greeting, "Antiphon runs.")?;
    writeln!(greeting, "  web   http://{}", house.http)?;
    write!(greeting, "  sip   udp {}", house.sip_address)?;
    tell(&greeting);
    until_told().await?;
    house.stop().await
}

/// Waits for an interrupt or a request to terminate.
pub(crate) async fn until_told() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    tell("stopping: no new calls, saving what is open");
    Ok(())
}
