//! The device page: plain HTML, no script, readable by every browser and screen reader.

use super::PEOPLE;

const STYLE: &str = "
:root { color-scheme: light dark; font: 18px/1.5 system-ui, sans-serif; }
body { max-width: 26rem; margin: 10vh auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; }
.code { font: 700 1.8rem ui-monospace, monospace; letter-spacing: .1em; }
label, fieldset { display: block; margin: 1rem 0; }
fieldset { border: 1px solid #8888; border-radius: .5rem; }
fieldset label { margin: .3rem 0; }
input[type=text] { font: inherit; font-family: ui-monospace, monospace; padding: .4rem .6rem; width: 12rem; text-transform: uppercase; }
button { font: inherit; padding: .5rem 1.2rem; margin-right: .6rem; border-radius: .5rem; border: 1px solid #8888; }
button.yes { background: #1a7f37; color: white; border-color: #1a7f37; }
.note { color: #888; font-size: .9rem; }
.wrong { color: #c33; }
";

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>\n{body}\n</main></body></html>\n"
    )
}

/// Asks for the code that hoopctl shows.
pub fn ask_code(wrong: bool) -> String {
    let wrong = if wrong {
        "<p class=\"wrong\" role=\"alert\">There is no such code, or it is over. Look again at what hoopctl shows.</p>"
    } else {
        ""
    };
    document(
        "Enter the code",
        &format!(
            "<h1>Log in to the relay</h1>{wrong}\n<form method=\"get\" action=\"/device\">\
             <label>The code that hoopctl shows: <input type=\"text\" name=\"user_code\" autocomplete=\"off\" autofocus required maxlength=\"20\"></label>\
             <button class=\"yes\" type=\"submit\">Continue</button></form>"
        ),
    )
}

/// Asks who to be, and whether to let the machine with this code in.
pub fn ask_person(user_code: &str, form_token: &str) -> String {
    let people: String = PEOPLE
        .iter()
        .enumerate()
        .map(|(place, (name, groups))| {
            let checked = if place == 0 { " checked" } else { "" };
            format!("<label><input type=\"radio\" name=\"user\" value=\"{name}\"{checked}> {name} <span class=\"note\">({})</span></label>", groups.join(", "))
        })
        .collect();
    let user_code = escape(user_code);
    document(
        "Log in",
        &format!(
            "<h1>Let this machine in?</h1><p>Only go on if hoopctl shows you the same code now:</p><p class=\"code\">{user_code}</p>\n\
             <form method=\"post\" action=\"/device\"><input type=\"hidden\" name=\"user_code\" value=\"{user_code}\">\
             <input type=\"hidden\" name=\"token\" value=\"{form_token}\">\
             <fieldset><legend>Log in as</legend>{people}</fieldset>\
             <button class=\"yes\" type=\"submit\" name=\"decision\" value=\"approve\">Log in</button>\
             <button type=\"submit\" name=\"decision\" value=\"deny\">Deny</button></form>\
             <p class=\"note\">This identity provider is for trying out: it asks for no password.</p>"
        ),
    )
}

/// Says how it ended.
pub fn done(approved: bool) -> String {
    if approved {
        document(
            "Logged in",
            "<h1>Logged in</h1><p>Go back to your terminal. You can close this page.</p>",
        )
    } else {
        document(
            "Denied",
            "<h1>Denied</h1><p>The machine was not let in. You can close this page.</p>",
        )
    }
}

/// Text from a request, for HTML.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_from_the_address_cannot_bring_markup() {
        let page = ask_person("\"><script>alert(1)</script>", "t");
        assert!(!page.contains("<script>"));
    }
}
