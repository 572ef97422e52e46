//! Serves the example: `cargo run -p rolecall-with-actix`, then
//! `curl -H 'x-user: alice' http://127.0.0.1:8081/t/acme/groups`.

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use rolecall::Authorizer;
use rolecall_with_actix::{authenticate, routes};
use tokio::runtime::Handle;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A task of the runtime finishes a change whose client hangs up.
    let authorizer = Authorizer::builder().runtime(Handle::current()).build();
    let acme = authorizer.create_tenant("acme", "Acme").await?;
    let filled = acme.update(|tx| {
        tx.create_permission("groups:read")?;
        tx.create_permission("groups:manage")?;
        tx.create_role("administrator")?.grant("groups:*")?;
        tx.create_user("alice")?.assign("administrator")?.done()
    });
    filled.await?;
    let server = HttpServer::new(move || {
        App::new().app_data(web::Data::new(authorizer.clone())).configure(routes).wrap(from_fn(authenticate))
    });
    println!("listening on http://127.0.0.1:8081");
    Ok(server.bind(("127.0.0.1", 8081))?.run().await?)
}
