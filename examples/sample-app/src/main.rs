//! `cargo run -p sample-app`: the web application. `cargo run -p sample-app -- tour`: the story without a browser.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program for a terminal")]

use std::{io::ErrorKind, net::Ipv4Addr, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use sample_app::{
    app::App,
    database::{Prefix, Server},
    evidence::Evidence,
    limits::Counting,
    secrets::{FIELD_KEYS, Pair, SESSION_KEY},
    seed, tour, web,
};
use tokio::net::TcpListener;

/// A freight brokerage desk on Stockade.
#[derive(Parser)]
#[command(name = "sample-app", about = "A freight brokerage desk that wires every Stockade crate")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, env = "PORT", default_value_t = 8080)]
    port: u16,
    /// PostgreSQL to use, as a role that may create roles; without it an embedded one is started
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Redis to count attempts in, for several processes; without it each counts for itself
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
    /// Folder outside the database for the signing key and the checkpoints of the audit log
    #[arg(long, env = "EVIDENCE_DIR")]
    evidence_dir: Option<PathBuf>,
    /// A second PostgreSQL that keeps the checkpoints too, under another administrator
    #[arg(long, env = "ANCHOR_DATABASE_URL", hide_env_values = true)]
    anchor_database_url: Option<String>,
    /// Reverse proxies that append to X-Forwarded-For, such as 10.0.0.0/8; without them the connection says where a request comes from
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',')]
    trusted_proxies: Vec<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the web application (the default)
    Serve,
    /// Walk through everything in the terminal, on a database of its own
    Tour,
    /// Print the current one-time codes of the demonstration accounts
    Code,
    /// Print a new pair of secrets for a database that is to last
    Keygen,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sample-app: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let database = arguments.database_url.as_deref();
    match arguments.command.as_ref().unwrap_or(&Command::Serve) {
        Command::Serve => serve(arguments).await,
        Command::Tour => {
            if !Box::pin(tour::run(database)).await? {
                bail!("a step of the tour did not hold");
            }
            Ok(())
        }
        Command::Code => {
            for tenant in seed::TENANTS {
                println!("{}  {}", tenant.email(&seed::OWNER), seed::current_code(&seed::OWNER)?);
            }
            Ok(())
        }
        Command::Keygen => {
            let pair = Pair::generate()?;
            println!(
                "export {FIELD_KEYS}='{}'\nexport {SESSION_KEY}='{}'",
                pair.field_keys.as_str(),
                pair.session_key.as_str()
            );
            Ok(())
        }
    }
}

async fn serve(arguments: Arguments) -> Result<()> {
    let port = arguments.port;
    // The port first: nothing is installed for an application that then cannot be reached.
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Ok(listener) => listener,
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!("port {port} is in use by another program; choose another with --port, or --port 0 for a free one")
        }
        Err(error) => return Err(error).context(format!("cannot listen on 127.0.0.1:{port}")),
    };
    let address = listener.local_addr()?;
    let server = Server::open(arguments.database_url.as_deref()).await?;
    let pair = if server.is_temporary() { Pair::generate()? } else { Pair::from_environment()? };
    let evidence = evidence(&server, arguments.evidence_dir, arguments.anchor_database_url.as_deref()).await?;
    let counting = arguments.redis_url.map_or(Counting::Memory, Counting::Redis);
    let app = App::start(&server, Prefix::application(), pair.parse()?, &counting, evidence).await?;
    let app = Arc::new(app.behind(arguments.trusted_proxies.iter().map(String::as_str)).context("TRUSTED_PROXIES")?);
    seed::fill(&app).await?;
    tokio::spawn(Arc::clone(&app).seal_forever());
    tokio::spawn(Arc::clone(&app).watch_forever());
    tokio::spawn(Arc::clone(&app).follow_forever());

    println!("Freight Desk is up: http://{address}");
    println!("Data: {}", server.describe());
    println!("Limits: counted {}", app.limits.counts().place);
    println!("Checkpoints: in {}", app.watch.anchors().describe());
    println!("\nSign in as one of these; the password of all is `{}`", seed::PASSWORD);
    for person in seed::ACME.people() {
        let second = if person.totp_seed.is_some() { ", and a one-time code" } else { "" };
        println!("  {:<20} {}{second}", seed::ACME.email(person), person.role);
    }
    println!("  ... the same at bright.test and cedar.test");
    println!(
        "The one-time code is {} now; `cargo run -p sample-app -- code` prints the next. Ctrl-C stops.",
        seed::current_code(&seed::OWNER)?
    );

    web::serve(Arc::clone(&app), listener, stopped()).await?;
    app.stop().await;
    Ok(())
}

/// Where the key and the checkpoints are: for data that last in a folder of the data's name, unless one is named.
async fn evidence(server: &Server, folder: Option<PathBuf>, anchor: Option<&str>) -> Result<Evidence> {
    if folder.is_none() && anchor.is_none() && server.is_temporary() {
        return Evidence::temporary().await;
    }
    let folder = folder.unwrap_or_else(|| Evidence::default_folder(&server.folder_name()));
    Evidence::open(&folder, anchor).await
}

/// Resolves when the process is asked to stop.
async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    drop(tokio::signal::ctrl_c().await);
}
