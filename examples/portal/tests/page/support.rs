//! A portal in memory, and browsers that look at its pages.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{Request, StatusCode};
use rolecall::Tenant;
use rolecall::records::UserId;
use rolecall_portal::state::PortalState;
use rolecall_portal::stores::StoreChoice;
use rolecall_portal::{app, tenant};
use tower::ServiceExt;

pub(crate) struct Portal {
    pub(crate) router: Router,
    pub(crate) acme: Tenant,
    pub(crate) state: PortalState,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) location: String,
    pub(crate) cookie: String,
    pub(crate) body: String,
}

/// One user's browser.
pub(crate) struct Browser<'a> {
    pub(crate) portal: &'a Portal,
    pub(crate) cookie: String,
}

pub(crate) const BASE: &str = "/t/acme-corp/portal/access-management";

impl Portal {
    pub(crate) async fn new() -> Self {
        let store = StoreChoice::Memory.open(tokio::runtime::Handle::current()).await.unwrap();
        let acme = tenant::open_or_create_sample(&store.authorizer, "acme-corp").await.unwrap();
        let state = PortalState::over(store, "http://localhost");
        state.add_scim_token("okta", &acme, "okta").unwrap();
        Self { router: app(state.clone()), acme, state }
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let header = |name| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (status, location, cookie) = (response.status(), header(LOCATION), header(SET_COOKIE));
        assert!(header(CONTENT_SECURITY_POLICY).starts_with("default-src 'none'"), "every answer has the policy");
        let is_page = header(CONTENT_TYPE).starts_with("text/html");
        let body = String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap();
        assert!(
            !is_page || !body.contains("<script>") && !body.contains("style="),
            "no page has scripts or styles inside"
        );
        Answer { status, location, cookie, body }
    }

    /// Signs a user in with the form.
    pub(crate) async fn sign_in(&self, user: UserId) -> Browser<'_> {
        let token = format!("token of {user}");
        self.state.add_token(&token, &self.acme, user);
        let nobody = Browser { portal: self, cookie: String::new() };
        let answer = nobody.post("/t/acme-corp/portal/login", &[("token", &token)]).await;
        assert_eq!((answer.status, answer.location.as_str()), (StatusCode::SEE_OTHER, &*format!("{BASE}/groups")));
        Browser { portal: self, cookie: answer.cookie.split(';').next().unwrap().to_owned() }
    }

    pub(crate) async fn administrator(&self) -> Browser<'_> {
        self.sign_in(tenant::ensure_administrator(&self.acme).await.unwrap()).await
    }

    pub(crate) fn group(&self, slug: &str) -> String {
        format!("{BASE}/groups/{}", self.acme.now().group(slug).unwrap().id)
    }

    pub(crate) fn user(&self, key: &str) -> String {
        self.acme.now().user(key).unwrap().id.to_string()
    }

    pub(crate) fn role(&self, slug: &str) -> String {
        self.acme.now().role(slug).unwrap().id().to_string()
    }
}

impl Browser<'_> {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.portal.ask(Request::get(path).header(COOKIE, &self.cookie).body(Body::empty()).unwrap()).await
    }

    /// A page that is there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    pub(crate) fn form(&self, path: &str, site: &str, fields: &[(&str, &str)]) -> Request<Body> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.header(COOKIE, &self.cookie).header("sec-fetch-site", site);
        request.body(Body::from(body)).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.portal.ask(self.form(path, "same-origin", fields)).await
    }

    /// Sends a form with the version that the page shows.
    pub(crate) async fn change(&self, group: &str, page: &str, fields: &[(&str, &str)]) -> Answer {
        let version = hidden(&self.page(page).await, "version");
        let mut all = vec![("version", version.as_str())];
        all.extend(fields);
        self.post(group, &all).await
    }

    /// Sends what a preview shows, to save it.
    pub(crate) async fn confirm(&self, path: &str, preview: &str) -> Answer {
        let form = preview.split("<form").find(|form| form.contains("name=\"seen\"")).unwrap();
        let inputs = form.split("<input type=\"hidden\" name=\"").skip(1);
        let pairs: Vec<(String, String)> = inputs
            .map(|input| {
                let (name, rest) = input.split_once("\" value=\"").unwrap();
                (name.to_owned(), rest.split_once('"').unwrap().0.replace("&amp;", "&"))
            })
            .collect();
        let mut fields: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.push(("step", "save"));
        self.post(path, &fields).await
    }

    /// The page of a deletion after it has ended. Another answer is finished already.
    pub(crate) async fn finished(&self, answer: Answer) -> Answer {
        let page = answer.location.clone();
        if !page.contains("/operations/") {
            return answer;
        }
        let poll = async {
            loop {
                let answer = self.get(&page).await;
                if answer.status != StatusCode::OK {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), poll).await.unwrap()
    }
}

/// The value of a hidden field.
pub(crate) fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name} in {page}"));
    rest.split_once('"').unwrap().0.to_owned()
}
