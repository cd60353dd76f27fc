//! Encrypted connections, by what PostgreSQL's `sslmode` means.

use std::path::Path;
use std::sync::Arc;

use pkcs8::der::pem::PemLabel as _;
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::backend::server::{KeyPassword, Tls, TlsMode};
use crate::error::{Error, ErrorKind, Result};

/// What a connection needs to be encrypted.
pub(super) fn client(tls: &Tls) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Verifier::new(tls, Arc::clone(&provider))?);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(ErrorKind::Internal, "TLS cannot be set up").caused_by(e))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) else {
        return Ok(builder.with_no_client_auth());
    };
    let private = private_key(key, tls.key_password.as_ref())?;
    builder
        .with_client_auth_cert(certificates(certificate)?, private)
        .map_err(|e| unusable(certificate, "certificate", e))
}

/// The authorities that are trusted: those given, or those that browsers trust.
fn roots(tls: &Tls) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(path) = &tls.roots else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    for file in files(path)? {
        for certificate in certificates(&file)? {
            roots.add(certificate).map_err(|e| unusable(&file, "certificate", e))?;
        }
    }
    Ok(roots)
}

/// The file, or those of a directory that hold certificates.
pub(super) fn files(path: &Path) -> Result<Vec<std::path::PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(|e| unusable(path, "directory", e))?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| certificates(file).is_ok());
    files.sort();
    if files.is_empty() {
        return Err(unusable(path, "directory", "there is no certificate in it"));
    }
    Ok(files)
}

pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|e| unusable(path, "certificate", e))?;
    if found.is_empty() {
        return Err(unusable(path, "certificate", "there is none in it"));
    }
    Ok(found)
}

/// Reads a private key. As with libpq, a passphrase that a plain key does not need is passed over.
pub(super) fn private_key(
    path: &Path,
    password: Option<&KeyPassword>,
) -> Result<PrivateKeyDer<'static>> {
    let failed = |cause: Box<dyn std::error::Error + Send + Sync>| {
        let error = unusable(path, "private key", cause);
        if password.is_none() {
            return error;
        }
        error.hint("encrypt it as `openssl pkcs8 -topk8 -v2 aes-256-cbc` does, with the passphrase")
    };
    let pem = std::fs::read_to_string(path).map_err(|e| failed(e.into()))?;
    if let Some(KeyPassword(password)) = password
        && let Ok((label, document)) = SecretDocument::from_pem(&pem)
        && label == EncryptedPrivateKeyInfoRef::PEM_LABEL
    {
        let encrypted: EncryptedPrivateKeyInfoRef<'_> =
            document.decode_msg().map_err(|e: pkcs8::der::Error| failed(e.into()))?;
        let plain = encrypted.decrypt(password).map_err(|e| failed(e.into()))?;
        return Ok(PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec()).into());
    }
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|e| failed(e.into()))
}

pub(super) fn unusable(
    path: &Path,
    what: &str,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let cause = cause.into();
    let message = format!("the {what} `{}` cannot be used: {cause}", path.display());
    Error::new(ErrorKind::FailedPrecondition, message)
        .hint("name a file in PEM form that the process can read")
        .caused_by(cause)
}

/// Looks at the certificate of a server as far as the mode asks.
#[derive(Debug)]
struct Verifier {
    mode: TlsMode,
    provider: Arc<CryptoProvider>,
    /// `None` where no certificate is looked at.
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl Verifier {
    fn new(tls: &Tls, provider: Arc<CryptoProvider>) -> Result<Self> {
        // As with libpq: a file of authorities makes `require` look at the certificate.
        let looks =
            tls.mode >= TlsMode::VerifyCa || (tls.mode == TlsMode::Require && tls.roots.is_some());
        let chain = if looks {
            let roots = Arc::new(roots(tls)?);
            let built = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
            Some(built.build().map_err(|e| {
                Error::new(ErrorKind::FailedPrecondition, "no certificate is trusted").caused_by(e)
            })?)
        } else {
            None
        };
        Ok(Self { mode: tls.mode, provider, chain })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        let looked =
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match looked {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.mode != TlsMode::VerifyFull => Ok(ServerCertVerified::assertion()),
            looked => looked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by `openssl pkcs8 -topk8 -v2 aes-256-cbc`; the passphrase is `open`.
    const KEY: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgF27B6AKuMTQICA+gw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEHXFFYrRcjMxroh9uUIWL4YEQL/V
cQtJOv7QZg0mw5Zo4gWIQfQw7B+Z+3lP91RY7XGqKwht4/LtGvF16iCgbP8RRicN
bGu62vJMHECEWg9yxGY=
-----END ENCRYPTED PRIVATE KEY-----
";

    #[test]
    fn a_key_with_a_passphrase_is_read_with_it_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("key.pem");
        std::fs::write(&path, KEY).expect("a file");
        let read = |password: &str| private_key(&path, Some(&KeyPassword(password.to_owned())));
        assert!(matches!(read("open"), Ok(PrivateKeyDer::Pkcs8(_))));
        let wrong = read("shut").expect_err("another passphrase");
        assert!(!wrong.to_string().contains("shut"), "{wrong}");
        assert!(private_key(&path, None).is_err());
    }

    #[test]
    fn a_folder_of_authorities_is_its_certificates() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("key.pem"), KEY).expect("a file");
        let none = files(directory.path()).expect_err("no certificate");
        assert!(none.to_string().contains("no certificate in it"), "{none}");
    }

    #[test]
    fn a_plain_key_needs_no_passphrase() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("key.pem");
        let pair = private_key_pem();
        std::fs::write(&path, &pair).expect("a file");
        for password in [None, Some(KeyPassword("any".to_owned()))] {
            assert!(private_key(&path, password.as_ref()).is_ok());
        }
    }

    /// The key above without its passphrase.
    fn private_key_pem() -> String {
        let (_, document) = SecretDocument::from_pem(KEY).expect("PEM");
        let encrypted: EncryptedPrivateKeyInfoRef<'_> = document.decode_msg().expect("a key");
        let plain = encrypted.decrypt("open").expect("the passphrase");
        plain.to_pem("PRIVATE KEY", Default::default()).expect("PEM").to_string()
    }
}
