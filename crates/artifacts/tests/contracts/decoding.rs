//! What has to hold of any bytes that claim to be an artifact. The target in `fuzz/` runs it too.

use ossature_artifacts::{CONTRACTS, Envelope, Rejection};

/// Decodes bytes in every way that there is, and checks what came of it.
///
/// Whatever the bytes are, this returns: decoding neither panics nor exhausts the stack, and what it accepts has one form.
pub(crate) fn decode(bytes: &[u8]) {
    match Envelope::from_msgpack(bytes) {
        Ok(envelope) => {
            let again = envelope.to_msgpack();
            assert_eq!(again.ok().as_deref(), Some(bytes), "other bytes come back");
            open(&envelope);
        }
        Err(rejection) => tell(&rejection),
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Envelope::from_json(text) {
        Ok(envelope) => {
            if let Ok(bytes) = envelope.to_msgpack() {
                let decoded = Envelope::from_msgpack(&bytes);
                assert_eq!(decoded.ok().as_ref(), Some(&envelope), "MsgPack loses it");
            }
            open(&envelope);
        }
        Err(rejection) => tell(&rejection),
    }
}

/// Opens an envelope as every kind of payload.
fn open(envelope: &Envelope) {
    let mut opened = 0;
    for contract in CONTRACTS {
        match (contract.reseal)(envelope) {
            Ok(sealed) => {
                opened += 1;
                let text = sealed.to_json().ok();
                let read = text.and_then(|text| Envelope::from_json(&text).ok());
                assert_eq!(read.as_ref(), Some(&sealed), "JSON loses it");
                let again = (contract.reseal)(&sealed).ok();
                assert_eq!(again.as_ref(), Some(&sealed), "it is read otherwise");
            }
            Err(rejection) => tell(&rejection),
        }
    }
    assert!(opened <= 1, "an artifact of {opened} kinds");
}

/// A refusal names a fault at least, and each in words.
fn tell(rejection: &Rejection) {
    assert!(!rejection.violations().is_empty(), "refused for nothing");
    let violations = rejection.violations().iter();
    let words: usize = violations.map(|it| it.to_string().len()).sum();
    assert!(words > 0 && rejection.to_string().len() > words);
}
