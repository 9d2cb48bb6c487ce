//! The frame around every page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::navigation;
pub(crate) use super::navigation::Place;
use crate::domain::people::{SeenBy, User};

/// A row of posts: the mark of the product.
const MARK: PreEscaped<&str> = PreEscaped(
    r#"<svg viewBox="0 0 24 24" fill="currentColor" aria-hidden="true"><path d="M2 22V7l2.5-4L7 7v15zM9.5 22V7L12 3l2.5 4v15zM17 22V7l2.5-4L22 7v15z"/><path d="M1 11h22v2H1zM1 17h22v2H1z" opacity=".55"/></svg>"#,
);

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Freight Desk" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="/icon.svg" type="image/svg+xml";
            }
            (body)
        }
    }
}

/// A page of a signed-in user.
pub(crate) fn page(user: &User, place: Place, title: &str, lead: &str, content: &Markup) -> Markup {
    document(
        title,
        &html! {
            body {
                a.skip href="#content" { "Skip to content" }
                div.frame {
                    header.side {
                        a.logo href="/" { (MARK) span { "Freight Desk" small { (user.tenant_name) } } }
                        button.quiet.small.opener popovertarget="menu" { "Menu" }
                        // Beside the page where there is room, and opened by the button where there is not.
                        div.menu id="menu" popover {
                            button.quiet.small.opener popovertarget="menu" popovertargetaction="hide" { "Close" }
                            (navigation::main(user, place))
                            div.person {
                                a href="/account/sessions" aria-current=[(place == Place::Account).then_some("page")] { strong { (user.name) } small.muted { (user.role()) } }
                                form method="post" action="/sign-out" { button.quiet.small { "Sign out" } }
                            }
                        }
                    }
                    main id="content" {
                        @if let Some(staff) = &user.seen_by { (banner(user, staff)) }
                        div.head { div { h1 { (title) } p { (lead) } } }
                        (navigation::tabs(user, place))
                        (content)
                    }
                }
            }
        },
    )
}

/// On every page that staff of the platform look at as somebody else.
fn banner(user: &User, staff: &SeenBy) -> Markup {
    html! {
        div.note.bad.banner role="status" {
            p {
                strong { (staff.name) " looks as " (user.name) " of " (user.tenant_name) "." }
                " Until " (staff.until.format("%H:%M UTC")) ", for: " (staff.reason) ". Nothing can be changed; the tenant sees each page."
            }
            form method="post" action="/staff/end" { button.small { "End the look" } }
        }
    }
}

/// A page before sign-in: one card in the middle.
pub(crate) fn door(title: &str, content: &Markup) -> Markup {
    document(
        title,
        &html! {
            body {
                main.door id="content" {
                    div {
                        div.logo { (MARK) span { "Freight Desk" small { "A Stockade sample application" } } }
                        (content)
                    }
                }
            }
        },
    )
}

/// The icon of the site.
pub(crate) fn icon() -> String {
    MARK.0.replace("<svg ", r##"<svg xmlns="http://www.w3.org/2000/svg" color="#1f5b43" "##)
}
