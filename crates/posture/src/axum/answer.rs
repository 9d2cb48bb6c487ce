//! What is answered.

use axum::{
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    response::{IntoResponse as _, Response},
};

use crate::{assessment::Assessment, render};

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What stands at one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Export {
    Page,
    Json,
    Markdown,
    Csv,
    Oscal,
}

impl Export {
    pub(super) const ALL: [Self; 5] = [Self::Page, Self::Json, Self::Markdown, Self::Csv, Self::Oscal];

    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Page => "/posture",
            Self::Json => "/posture.json",
            Self::Markdown => "/posture.md",
            Self::Csv => "/posture.csv",
            Self::Oscal => "/posture/oscal.json",
        }
    }

    pub(super) fn answer(self, assessment: &Assessment) -> Response {
        let (body, kind, file) = match self {
            Self::Page => (render::html_page(assessment), "text/html; charset=utf-8", None),
            Self::Json => (render::json(assessment), "application/json", None),
            Self::Markdown => (render::markdown(assessment), "text/markdown; charset=utf-8", None),
            Self::Csv => (render::csv(assessment), "text/csv; charset=utf-8; header=present", Some("posture.csv")),
            Self::Oscal => (render::oscal(assessment), "application/json", Some("posture-oscal.json")),
        };
        let mut response = protected(body.into_response());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(disposition) = file.and_then(|file| format!("attachment; filename=\"{file}\"").parse().ok()) {
            headers.insert(CONTENT_DISPOSITION, disposition);
        }
        if self == Self::Page {
            let policy = format!(
                "default-src 'none'; style-src '{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                render::html::style_hash()
            );
            if let Ok(policy) = policy.parse() {
                headers.insert(CONTENT_SECURITY_POLICY, policy);
            }
        }
        response
    }
}

/// A response that may be neither stored nor sniffed, framed or read by another origin. A refusal keeps a policy of its own.
pub(super) fn protected(mut response: Response) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (RESOURCE_POLICY, "same-origin"),
        (X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let nothing =
        HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(nothing);
    response
}
