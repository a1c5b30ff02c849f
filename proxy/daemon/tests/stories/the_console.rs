//! The console, in a real browser.

use super::browser::Browser;
use super::operators::{Speaking, takes};
use super::the_admin_api::start_with_tokens;
use super::world::{Place, call, eventually, hang_up, media, metric};
use serde_json::json;
use std::net::UdpSocket;
use std::time::Duration;

const REGION: &str = "document.querySelector('[data-region=\"north\"]')";

#[test]
fn an_operator_watches_a_region_die_and_its_calls_move() {
    let place = Place(139);
    let (_appliance, at) = start_with_tokens(
        place,
        "[trace]\n[media.silence]\nmin_flows = 2\n[region_health]\nmedia_down = \"200ms\"",
    );
    let _phone = UdpSocket::bind((place.ip(2), 40_000)).unwrap();
    let mut browser = Browser::open("dies", (1_280, 1_400), &format!("http://{at}/"));
    browser.log_in("token-of-nobody");
    browser.until(
        "a wrong token is told so",
        "document.getElementById('login-words').textContent.includes('nobody that we know')",
    );
    browser.log_in("token-of-admin");
    browser.until("it shows the region", &format!("{REGION}?.dataset.state === 'up'"));
    let (carrier, north, south) = (place.carrier(), place.edge(1), place.edge(2));
    let up = |i| call(place, &carrier, &north, &format!("watched-{i}"), "+4930123456");
    let ups: Vec<_> = (0..3).map(up).collect();
    let ports: Vec<_> = ups.iter().map(|up| media(&up.invite)).collect();
    let north_speaks = Speaking::new((place.ip(11), 41_000).into(), ports.clone(), 0x11);
    browser.until("its calls are counted", &format!("{REGION}.querySelector('strong').textContent === '3'"));
    let rows = |region: &str| {
        format!(
            "[...document.querySelectorAll('#calls .inner .row')].filter((row) => \
             row.querySelector('.c-region').textContent === '{region}').length === 3"
        )
    };
    browser.until("every call is in the list", &rows("north"));
    browser.until(
        "the trunk has them, too",
        "document.querySelector('#trunks tbody td:nth-child(2)').textContent === '3'",
    );
    browser.screenshot("1-all-is-well");
    // What is silent has spoken before.
    std::thread::sleep(Duration::from_millis(800));
    drop(north_speaks);
    takes(place, &south, 41_002, 3);
    let _south_speaks = Speaking::new((place.ip(12), 41_002).into(), ports, 0x22);
    browser.until("the region is seen to die", &format!("{REGION}.dataset.state === 'down'"));
    browser.until("it is said in words", &format!("{REGION}.textContent.includes('✕ down')"));
    browser.until("its calls have moved", &rows("south"));
    browser.until(
        "and why is in the history",
        "document.getElementById('history').textContent.includes('region north')",
    );
    browser.screenshot("2-a-region-has-died");
    browser.eval("document.querySelector('#calls .inner .row').click()");
    browser.until(
        "a call shows its receipt",
        "document.getElementById('call-body').textContent.includes('region_down')",
    );
    browser.until(
        "its ladder goes from the carrier to both edges",
        "['from carrier 127.77.139.2:5060 to bascule', 'from bascule to edge 127.77.139.11:5060', \
          'from bascule to edge 127.77.139.12:5060'].every((way) => \
          [...document.querySelectorAll('.ladder .unseen')].some((said) => said.textContent === `INVITE sdp, ${way}`))",
    );
    browser.until(
        "the move stands among the messages",
        "/^⇄ region_down: north-1 → south-1, moved/.test(document.querySelector('.ladder .mark').textContent)",
    );
    // Every arrow ends in the middle between the rails that it goes to.
    let ends = "[...document.querySelectorAll('.ladder .rung')].every((rung) => { \
        const middles = [...rung.querySelectorAll('.rail')].map((rail) => rail.getBoundingClientRect().x); \
        const arrow = rung.querySelector('.arrow').getBoundingClientRect(); \
        return [arrow.left, arrow.right].every((end) => middles.some((at) => Math.abs(at - end) < 2)); })";
    assert_eq!(browser.eval(ends), json!(true));
    browser.eval("document.querySelector('.ladder summary').focus()");
    for key in ["ArrowDown", "Enter"] {
        for kind in ["keyDown", "keyUp"] {
            let text = if key == "Enter" && kind == "keyDown" { "\r" } else { "" };
            let code = if key == "Enter" { 13 } else { 40 };
            browser.ask(
                "Input.dispatchKeyEvent",
                json!({"type": kind, "key": key, "code": key, "text": text, "windowsVirtualKeyCode": code}),
            );
        }
    }
    browser.until(
        "the keyboard opens a message",
        "document.querySelector('.ladder li:nth-child(2) details').open && document.querySelectorAll('.ladder details[open]').length === 1",
    );
    browser.screenshot("3-a-call-that-has-moved");
    browser.eval("document.getElementById('call-close').click()");
    for up in &ups {
        hang_up(place, &carrier, &south, up);
    }
    browser.until("what is over is gone", "document.querySelectorAll('#calls .inner .row').length === 0");
    browser.is_content();
}

#[test]
fn an_operator_watches_the_media_of_a_call_until_it_is_over() {
    let place = Place(153);
    let (_appliance, at) = start_with_tokens(place, "[trace]\n");
    let mut browser = Browser::open("media", (1_280, 1_000), &format!("http://{at}/"));
    browser.log_in("token-of-admin");
    let (carrier, north) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &north, "heard", "+4930123456");
    let phone = Speaking::new((place.ip(2), 40_000).into(), vec![media(&up.ok)], 0x11);
    browser.until("the call is in the list", "!!document.querySelector('#calls .inner .row')");
    browser.eval("document.querySelector('#calls .inner .row').click()");
    let cell = |row: &str, direction: usize| {
        format!(
            "[...document.querySelectorAll('#call .media tbody tr')].find((row) => \
             row.querySelector('th').textContent === '{row}')?.querySelectorAll('td')[{direction}].textContent"
        )
    };
    browser.until("one direction flows", &format!("{} === '● flowing'", cell("state", 0)));
    assert_eq!(browser.eval(&cell("state", 1)), json!("… unheard"));
    assert_eq!(browser.eval(&cell("carried by", 0)), json!("sockets"));
    assert_eq!(browser.eval(&cell("comes from", 0)), json!("127.77.153.2:40000"));
    let heads =
        "[...document.querySelectorAll('#call .media thead th')].map((head) => head.textContent).join()";
    assert_eq!(browser.eval(heads), json!("from the carrier (A),from the edge (B)"));
    browser.until("its ladder stands beside it", "document.querySelectorAll('#call .ladder li').length > 4");
    let packets = browser.eval(&format!("Number({})", cell("packets", 0)));
    browser
        .until("packets count up by themselves", &format!("Number({}) > {packets} + 60", cell("packets", 0)));
    browser.until("how it sounds is estimated", &format!("Number({}) > 1", cell("MOS (G.107)", 0)));
    assert_eq!(browser.eval(&cell("lost", 0)), json!("0 (0.0%)"));
    browser.screenshot("9-the-media-of-a-call");
    drop(phone);
    browser.until("silence is said in words", &format!("{}.startsWith('✕ silent for ')", cell("state", 0)));
    hang_up(place, &carrier, &north, &up);
    browser.until(
        "and so is its end",
        "document.querySelector('#call [aria-label=Media] .warning')?.textContent.includes('The call is over')",
    );
    browser.is_content();
}

#[test]
fn an_operator_drains_a_region_with_a_word_first_and_opens_it_again() {
    let place = Place(140);
    let (appliance, at) = start_with_tokens(place, "");
    let mut browser = Browser::open("drain", (412, 915), &format!("http://{at}/"));
    let dark = json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]});
    browser.ask("Emulation.setEmulatedMedia", dark);
    browser.log_in("token-of-admin");
    let (carrier, north, south) = (place.carrier(), place.edge(1), place.edge(2));
    let up = call(place, &carrier, &north, "moves", "+4930123456");
    browser.press("[data-region=\"north\"]", "Drain…");
    browser.until("it asks first", "document.getElementById('act').open");
    assert!(appliance.snapshot().overrides.drained.is_empty(), "nothing is done before it is confirmed");
    browser.screenshot("4-a-drain-on-a-telephone-in-the-dark");
    browser.press("#act", "Drain");
    takes(place, &south, 41_002, 1);
    let bye = north.request("BYE");
    north.send(north.answer(&bye, 200, None), place.tier());
    browser.until(
        "it follows the drain to its end",
        "document.getElementById('act-progress').dataset.end === 'finished'",
    );
    browser
        .until("and counts", "document.getElementById('act-progress').textContent.includes('1 of 1 moved')");
    browser.press("#act", "Close");
    browser.until("the region says so", &format!("{REGION}.textContent.includes('▽ drained')"));
    browser.press("[data-region=\"north\"]", "Open again…");
    browser.eval("document.querySelector('#act-fields input').checked = false");
    browser.press("#act", "Open");
    eventually("it takes calls again", || appliance.snapshot().overrides.drained.is_empty());
    browser.until("no page is wider than a telephone", "document.documentElement.scrollWidth <= innerWidth");
    hang_up(place, &carrier, &south, &up);
    browser.is_content();
}

#[test]
fn an_operator_drills_a_region_whose_name_he_has_to_type_and_sees_it_through() {
    let place = Place(126);
    let (appliance, at) = start_with_tokens(place, "[media.silence]\nmin_flows = 2\n");
    let mut browser = Browser::open("drill", (1_280, 1_000), &format!("http://{at}/"));
    browser.log_in("token-of-admin");
    let (carrier, north, south) = (place.carrier(), place.edge(1), place.edge(2));
    let up = |i| call(place, &carrier, &north, &format!("drilled-{i}"), &format!("+493012345{i}"));
    let ports: Vec<_> = (0..4).map(up).map(|up| media(&up.invite)).collect();
    let _north_speaks = Speaking::new((place.ip(11), 41_000).into(), ports.clone(), 0x11);
    // What is silent has spoken before.
    std::thread::sleep(Duration::from_millis(800));
    browser.press("[data-region=\"north\"]", "Drill…");
    browser.until("it asks first", "document.getElementById('act').open");
    let write = |browser: &mut Browser, n: usize, value: &str| {
        browser.eval(&format!("document.querySelectorAll('#act-fields input')[{n}].value = '{value}'"));
    };
    for (n, value) in [(0, "50"), (1, "4"), (2, "nort")] {
        write(&mut browser, n, value);
    }
    browser.press("#act", "Cut them off");
    assert_eq!(browser.eval("document.getElementById('act-fields').hidden"), json!(false));
    assert_eq!(appliance.snapshot().overrides.drill, None, "nothing begins with half a name");
    write(&mut browser, 2, "north");
    browser.press("#act", "Cut them off");
    let _south_speaks = Speaking::new((place.ip(12), 41_002).into(), ports, 0x22);
    takes(place, &south, 41_002, 2);
    let progress = "document.getElementById('act-progress')";
    browser.until("it follows the drill", &format!("{progress}.textContent.includes('2 of 2 moved')"));
    browser.until("the region says so", &format!("{REGION}.textContent.includes('⚠ drill')"));
    browser.screenshot("7-a-drill");
    browser.until("to its end", &format!("{progress}.dataset.end === 'finished'"));
    browser.until("nobody was lost", &format!("{progress}.textContent.includes('calls dropped0')"));
    browser.screenshot("8-a-drill-is-over");
    assert_eq!(appliance.snapshot().overrides.drill, None, "all is restored");
    browser.until("the region, too", &format!("!{REGION}.textContent.includes('⚠ drill')"));
    browser.is_content();
}

#[test]
fn who_may_only_look_is_refused_by_the_page_and_by_the_service() {
    let place = Place(141);
    let (appliance, at) = start_with_tokens(place, "");
    let mut browser = Browser::open("view", (1_280, 900), &format!("http://{at}/"));
    browser.log_in("token-of-view");
    browser.until("it shows the region", &format!("{REGION}?.dataset.state === 'up'"));
    let disabled = format!(
        "[...{REGION}.querySelectorAll('button')].every((b) => b.disabled && b.title.includes('telephony.edge.edit'))"
    );
    browser.until("its buttons say what is missing", &disabled);
    browser.until("calls are not shown", "document.getElementById('calls').closest('section').hidden");
    for change in ["drain", "drill"] {
        let refused = browser.eval(&format!(
            "fetch('/v1/regions/north/{change}', {{method: 'POST', headers: {{Authorization: 'Bearer token-of-view'}}, \
             body: '{{\"share\": 5, \"cut\": \"both\", \"for_ms\": 1000}}'}}).then((r) => r.status)",
        ));
        assert_eq!(refused, json!(403), "{change}");
    }
    assert_eq!(metric(&appliance, "bascule_admin_refused_total{reason=\"role\"}"), 2.0);
    browser.screenshot("5-who-may-only-look");
    // Nothing of the token is left where another page, or the next user, would find it.
    let kept = browser.eval("localStorage.length + sessionStorage.length + document.cookie.length");
    assert_eq!(kept, json!(0));
    browser.eval("document.getElementById('leave').click()");
    browser.until(
        "it is at the door again",
        "!document.getElementById('door').hidden && document.getElementById('token').value === ''",
    );
    browser.is_content();
}

#[test]
fn what_callers_write_is_text_and_a_call_is_ended_after_a_second_press() {
    let place = Place(142);
    let (_appliance, at) = start_with_tokens(place, "[trace]\n");
    let mut browser = Browser::open("text", (1_280, 900), &format!("http://{at}/"));
    browser.log_in("token-of-admin");
    let (carrier, north) = (place.carrier(), place.edge(1));
    // RFC 3261 §25.1: a Call-ID is made of words, and these may have angle brackets.
    let invite =
        carrier.invite("markup", "+4930123456", 40_000).replace("Call-ID: markup", "Call-ID: <b>markup</b>");
    let invite = invite.replace("From: <sip:", "From: \"<b>Mallory</b>\" <sip:");
    assert!(invite.contains("Mallory"));
    carrier.send(invite, place.appliance());
    let invite = north.request("INVITE");
    north.send(north.answer(&invite, 180, None), place.tier());
    carrier.response(180);
    browser.until(
        "it rings",
        "document.querySelector('#calls .inner .row .c-state')?.textContent.includes('ringing')",
    );
    browser.eval("document.querySelector('#calls .inner .row').click()");
    browser.until(
        "it is shown as it is",
        "document.getElementById('call-body').textContent.includes('<b>markup</b>')",
    );
    browser.until(
        "so is what is kept of it",
        "document.querySelector('.ladder pre')?.textContent.includes('\"<b>Mallory</b>\" <sip:')",
    );
    assert_eq!(browser.eval("document.querySelectorAll('#call-body b').length"), json!(0));
    browser.screenshot("6-text-is-text");
    browser.press("#call", "End this call");
    assert_eq!(
        browser.eval("document.querySelectorAll('#calls .inner .row').length"),
        json!(1),
        "one press ends nothing"
    );
    browser.press("#call", "Really end it");
    let cancel = north.request("CANCEL");
    north.send(north.answer(&cancel, 200, None), place.tier());
    north.send(north.answer(&invite, 487, None), place.tier());
    north.request("ACK");
    let refused = carrier.response(480);
    let text = format!(
        "ACK sip:+4930123456@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKmarkupi;rport\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: <b>markup</b>\r\nCSeq: 1 ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        carrier.at,
        String::from_utf8_lossy(refused.header(sip_wire::HeaderName::From).unwrap()),
        String::from_utf8_lossy(refused.header(sip_wire::HeaderName::To).unwrap()),
    );
    carrier.send(text, place.appliance());
    browser.until("it is gone from the list", "document.querySelectorAll('#calls .inner .row').length === 0");
    browser.is_content();
}
