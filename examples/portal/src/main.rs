//! The command: `cargo run -p rolecall-portal`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use rolecall::Document;
use rolecall_portal::state::{PortalState, random_secret};
use rolecall_portal::stores::StoreChoice;
use rolecall_portal::tenant;
use rolecall_postgres::tokio_postgres::Config;

/// Serves a portal for groups, users, roles and permissions: pages for people, and an API.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// The address to listen on. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The token of the administrator. Without it, a random one is made and printed.
    #[arg(long, value_name = "TOKEN", value_parser = token)]
    token: Option<String>,
    /// A token of another user, by the user's key. Can be repeated.
    #[arg(long, value_name = "USER=TOKEN", value_parser = user_token)]
    user_token: Vec<(String, String)>,
    /// A token of a directory that keeps users and groups up to date by SCIM, by the directory's name. Can be repeated.
    #[arg(long, value_name = "DIRECTORY=TOKEN", value_parser = scim_token)]
    scim_token: Vec<(String, String)>,
    /// Keep the tenants in this file, and not in memory.
    #[arg(long, value_name = "FILE")]
    redb: Option<PathBuf>,
    /// Keep the tenants in this PostgreSQL database, by its URL or as `host=… user=…`, and not in memory.
    #[arg(long, value_name = "URL", conflicts_with = "redb")]
    postgres: Option<Config>,
    /// The tenant to begin with: this document. It is imported if the store does not have a tenant with its slug.
    #[arg(long, value_name = "FILE", conflicts_with = "tenant")]
    document: Option<PathBuf>,
    /// The slug of the tenant to begin with. It is created with sample data if the store does not have it.
    #[arg(long, value_name = "SLUG", default_value = "acme-corp")]
    tenant: String,
    /// The URL under which clients reach the portal, if it is not the address: behind a proxy, for example.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
}

impl Arguments {
    fn store(&self) -> StoreChoice {
        match (&self.redb, &self.postgres) {
            (Some(file), _) => StoreChoice::Redb(file.clone()),
            (None, Some(config)) => StoreChoice::Postgres(Box::new(config.clone())),
            (None, None) => StoreChoice::Memory,
        }
    }
}

/// A token. A blank one is refused: an unset variable is one, and everybody could sign in with it.
fn token(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("the token is blank; is a variable not set?".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn user_token(text: &str) -> Result<(String, String), String> {
    let (key, secret) = text.rsplit_once('=').ok_or("expected USER=TOKEN")?;
    Ok((key.to_owned(), token(secret)?))
}

fn scim_token(text: &str) -> Result<(String, String), String> {
    let (directory, secret) = text.split_once('=').ok_or("expected DIRECTORY=TOKEN")?;
    Ok((directory.to_owned(), token(secret)?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    // Standard output has the address and the token; the log goes to standard error.
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();

    let store = arguments.store().open(tokio::runtime::Handle::current()).await?;
    let tenant = match &arguments.document {
        Some(path) => tenant::open_or_import(&store.authorizer, &Document::from_json(&std::fs::read(path)?)?).await?,
        None => tenant::open_or_create_sample(&store.authorizer, &arguments.tenant).await?,
    };
    let administrator = tenant::ensure_administrator(&tenant).await?;

    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    let address = format!("http://{}", listener.local_addr()?);
    let state = PortalState::over(store, arguments.base_url.clone().unwrap_or_else(|| address.clone()));
    let token = arguments.token.clone().unwrap_or_else(random_secret);
    state.add_token(&token, &tenant, administrator);
    for (key, token) in &arguments.user_token {
        let user = tenant
            .now()
            .user(key.as_str())
            .ok_or_else(|| format!("user {} not found", rolecall::error::Quoted(key)))?;
        state.add_token(token, &tenant, user.id);
    }
    for (directory, token) in &arguments.scim_token {
        state.add_scim_token(token, &tenant, directory)?;
    }

    let slug = tenant.slug().ok_or("the tenant was deleted")?;
    let key = tenant.now().user(administrator).map(|user| user.key.to_string()).unwrap_or_default();
    println!("listening on {address}");
    println!("page: {address}/t/{slug}/portal/access-management/groups");
    println!("token of {}: {token}", rolecall::error::Quoted(&key));
    if !arguments.scim_token.is_empty() {
        println!("SCIM: {address}/t/{slug}/scim/v2");
    }
    // The registry keeps the tenant open as long as there is room.
    drop(tenant);

    let stopped = async { drop(tokio::signal::ctrl_c().await) };
    rolecall_portal::serve::serve(listener, rolecall_portal::app(state.clone()), stopped).await?;
    // Deletions that were answered with 202 get as long to finish.
    drop(tokio::time::timeout(rolecall_portal::serve::MOST_STOPPING_TIME, state.finish_operations()).await);
    Ok(())
}
