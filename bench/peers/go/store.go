package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A store keeps a key before its certificate is asked for, and the certificate with its key after.
type store interface {
	putKey(name string, key *ecdsa.PrivateKey) error
	putChain(name string, chain [][]byte, key *ecdsa.PrivateKey) error
}

// durableStore does what an operator would ask of a client that replaces certmill, in certbot's
// layout: archive/NAME/1 with four files, each written beside its name, fsynced and renamed, their
// folders fsynced, and live/NAME switched by one rename. The key is safe before the certificate is
// asked for, and nothing is stored that is not checked.
type durableStore struct {
	archive, live string
}

func newDurableStore(folder string) (*durableStore, error) {
	s := &durableStore{filepath.Join(folder, "archive"), filepath.Join(folder, "live")}
	for _, each := range []string{s.archive, s.live} {
		if err := os.MkdirAll(each, 0o700); err != nil {
			return nil, err
		}
	}
	return s, syncFolder(folder)
}

func (s *durableStore) folder(name string) string {
	return filepath.Join(s.archive, name, "1")
}

func (s *durableStore) putKey(name string, key *ecdsa.PrivateKey) error {
	folder := s.folder(name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if err := writeKey(filepath.Join(folder, "privkey.pem"), key); err != nil {
		return err
	}
	for _, each := range []string{folder, filepath.Dir(folder), s.archive} {
		if err := syncFolder(each); err != nil {
			return err
		}
	}
	return nil
}

func (s *durableStore) putChain(name string, chain [][]byte, key *ecdsa.PrivateKey) error {
	if err := checkChain(chain, name, key); err != nil {
		return err
	}
	folder := s.folder(name)
	for _, each := range []struct {
		file string
		ders [][]byte
	}{{"cert.pem", chain[:1]}, {"chain.pem", chain[1:]}, {"fullchain.pem", chain}} {
		if err := writeFile(filepath.Join(folder, each.file), pemOf(each.ders), 0o644); err != nil {
			return err
		}
	}
	if err := syncFolder(folder); err != nil {
		return err
	}
	link := filepath.Join(s.live, name)
	temporary := link + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(filepath.Join("..", "archive", name, "1"), temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, link); err != nil {
		return err
	}
	return syncFolder(s.live)
}

// plainStore writes two files, when there is a certificate: each is fsynced and renamed, but no
// folder is fsynced, so that a power cut may take both back; and it looks at the key and name only.
type plainStore struct {
	folder string
}

func (s plainStore) putKey(string, *ecdsa.PrivateKey) error { return nil }

func (s plainStore) putChain(name string, chain [][]byte, key *ecdsa.PrivateKey) error {
	if _, err := checkLeaf(chain, name, key); err != nil {
		return err
	}
	if err := writeKey(filepath.Join(s.folder, name+".key"), key); err != nil {
		return err
	}
	return writeFile(filepath.Join(s.folder, name+".crt"), pemOf(chain), 0o644)
}

// checkLeaf sees that the CA sent a certificate of this key and name.
func checkLeaf(chain [][]byte, name string, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	if len(chain) == 0 {
		return nil, errors.New("an empty chain")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, err
	}
	if public, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(&key.PublicKey) {
		return nil, errors.New("the certificate has another key")
	}
	return leaf, leaf.VerifyHostname(name)
}

// checkChain sees besides that it has no other names and is valid now, and that each certificate is
// signed by the next one, which is a CA.
func checkChain(chain [][]byte, name string, key *ecdsa.PrivateKey) error {
	leaf, err := checkLeaf(chain, name, key)
	if err != nil {
		return err
	}
	if len(leaf.DNSNames) != 1 || len(leaf.IPAddresses) > 0 {
		return fmt.Errorf("the certificate has names that were not asked for: %v", leaf.DNSNames)
	}
	if now := time.Now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return errors.New("the certificate is not valid now")
	}
	if len(chain) < 2 {
		return errors.New("no issuer in the chain")
	}
	for _, der := range chain[1:] {
		issuer, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		if !bytes.Equal(leaf.RawIssuer, issuer.RawSubject) {
			return errors.New("the chain does not link")
		}
		if err := leaf.CheckSignatureFrom(issuer); err != nil {
			return err
		}
		leaf = issuer
	}
	return nil
}

func pemOf(ders [][]byte) []byte {
	var text []byte
	for _, der := range ders {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text
}

// writeFile writes beside the name, fsyncs and renames. The rename is durable when the folder is
// fsynced too.
func writeFile(path string, data []byte, mode os.FileMode) error {
	temporary := path + ".new"
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		os.Remove(temporary)
		return err
	}
	return os.Rename(temporary, path)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is no PEM", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	if key, ok := key.(*ecdsa.PrivateKey); ok {
		return key, nil
	}
	return nil, fmt.Errorf("%s is no ECDSA key", path)
}
