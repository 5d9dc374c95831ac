// A concurrent ACME client as a Go programmer would write it for a fleet, on the library that most
// Go clients stand on (golang.org/x/crypto/acme): one shared client, kept connections, a goroutine
// an order, a new P-256 key each, and files that are durable before the order counts as done.
//
// It measures what the language and library cost at many orders at once, which no packaged client
// does. It sleeps only where the library does.
//
//	go-acme -directory URL -ca-file PEM -account FILE -register
//	go-acme -directory URL -ca-file PEM -account FILE -names FILE -out FOLDER
//	        [-concurrency 64] [-webroot FOLDER]
//
// Without -webroot names must be authorized already. Debian builds it with its packages alone:
// GO111MODULE=off GOPATH=/usr/share/gocode go build
package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
)

type issuer struct {
	client  *acme.Client
	webroot string
	out     string
}

func main() {
	directory := flag.String("directory", "", "the CA's directory `URL`")
	caFile := flag.String("ca-file", "", "`PEM` file to trust for the CA's HTTPS")
	account := flag.String("account", "", "`file` of the account's key")
	register := flag.Bool("register", false, "make the account and its key, and end")
	names := flag.String("names", "", "`file` with one name a line")
	out := flag.String("out", ".", "`folder` for NAME.key and NAME.crt")
	webroot := flag.String("webroot", "", "`folder` for http-01; none: names are authorized already")
	concurrency := flag.Int("concurrency", 64, "orders at once")
	timeout := flag.Duration("timeout", 10*time.Minute, "for everything")
	flag.Parse()

	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	var err error
	if *register {
		err = registerAccount(ctx, *directory, *caFile, *account)
	} else {
		err = issueAll(ctx, *directory, *caFile, *account, *names, *concurrency,
			&issuer{webroot: *webroot, out: *out})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "go-acme:", err)
		os.Exit(1)
	}
}

// newClient shares one transport between all orders: HTTP/2 where the CA has it, else as many kept
// connections as there are orders at once.
func newClient(directory, caFile string, key *ecdsa.PrivateKey, concurrency int) (*acme.Client, error) {
	trusted, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(trusted) {
		return nil, fmt.Errorf("%s holds no certificate", caFile)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{
			RootCAs:            roots,
			MinVersion:         tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(concurrency),
		},
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        concurrency,
		MaxIdleConnsPerHost: concurrency,
		IdleConnTimeout:     90 * time.Second,
	}
	return &acme.Client{
		Key:          key,
		DirectoryURL: directory,
		HTTPClient:   &http.Client{Transport: transport, Timeout: time.Minute},
		UserAgent:    "go-acme",
	}, nil
}

func registerAccount(ctx context.Context, directory, caFile, file string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if err := writeKey(file, key); err != nil {
		return err
	}
	client, err := newClient(directory, caFile, key, 1)
	if err != nil {
		return err
	}
	_, err = client.Register(ctx, &acme.Account{Contact: []string{"mailto:ops@example.com"}}, acme.AcceptTOS)
	return err
}

func issueAll(ctx context.Context, directory, caFile, account, namesFile string, concurrency int, issuer *issuer) error {
	key, err := readKey(account)
	if err != nil {
		return err
	}
	names, err := readLines(namesFile)
	if err != nil {
		return err
	}
	if issuer.client, err = newClient(directory, caFile, key, concurrency); err != nil {
		return err
	}
	// The directory and the account's URL are asked for once, not by each of the first orders.
	if _, err := issuer.client.GetReg(ctx, ""); err != nil {
		return err
	}

	var failed int64
	var done sync.WaitGroup
	todo := make(chan string)
	for i := 0; i < concurrency; i++ {
		done.Add(1)
		go func() {
			defer done.Done()
			for name := range todo {
				if err := issuer.issue(ctx, name); err != nil {
					atomic.AddInt64(&failed, 1)
					fmt.Fprintf(os.Stderr, "go-acme: %s: %v\n", name, err)
				}
			}
		}()
	}
	for _, name := range names {
		todo <- name
	}
	close(todo)
	done.Wait()
	if failed > 0 {
		return fmt.Errorf("%d of %d failed", failed, len(names))
	}
	return nil
}

// issue brings one certificate: order, authorizations, key and CSR, finalize, files.
func (i *issuer) issue(ctx context.Context, name string) error {
	order, err := i.client.AuthorizeOrder(ctx, acme.DomainIDs(name))
	if err != nil {
		return fmt.Errorf("newOrder: %w", err)
	}
	if order.Status == acme.StatusPending {
		for _, url := range order.AuthzURLs {
			if err := i.authorize(ctx, url); err != nil {
				return fmt.Errorf("authorization: %w", err)
			}
		}
		if order, err = i.client.WaitOrder(ctx, order.URI); err != nil {
			return fmt.Errorf("order: %w", err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key)
	if err != nil {
		return err
	}
	chain, _, err := i.client.CreateOrderCert(ctx, order.FinalizeURL, csr, true)
	if err != nil {
		return fmt.Errorf("finalize: %w", err)
	}
	if err := check(chain, name, key); err != nil {
		return err
	}
	if err := writeKey(filepath.Join(i.out, name+".key"), key); err != nil {
		return err
	}
	var text []byte
	for _, der := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return writeFile(filepath.Join(i.out, name+".crt"), text, 0o644)
}

func (i *issuer) authorize(ctx context.Context, url string) error {
	authorization, err := i.client.GetAuthorization(ctx, url)
	if err != nil {
		return err
	}
	if authorization.Status == acme.StatusValid {
		return nil
	}
	if i.webroot == "" {
		return errors.New("the name is not authorized, and there is no -webroot")
	}
	for _, challenge := range authorization.Challenges {
		if challenge.Type != "http-01" {
			continue
		}
		answer, err := i.client.HTTP01ChallengeResponse(challenge.Token)
		if err != nil {
			return err
		}
		path := filepath.Join(i.webroot, i.client.HTTP01ChallengePath(challenge.Token))
		if err := os.WriteFile(path, []byte(answer), 0o644); err != nil {
			return err
		}
		defer os.Remove(path)
		if _, err := i.client.Accept(ctx, challenge); err != nil {
			return err
		}
		_, err = i.client.WaitAuthorization(ctx, url)
		return err
	}
	return errors.New("no http-01 challenge")
}

// check sees that the CA sent what was asked for.
func check(chain [][]byte, name string, key *ecdsa.PrivateKey) error {
	if len(chain) == 0 {
		return errors.New("an empty chain")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return err
	}
	if public, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(&key.PublicKey) {
		return errors.New("the certificate has another key")
	}
	return leaf.VerifyHostname(name)
}

// writeFile is durable: a temporary file, fsync, rename.
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

func readLines(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var lines []string
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if scanner.Text() != "" {
			lines = append(lines, scanner.Text())
		}
	}
	return lines, scanner.Err()
}
