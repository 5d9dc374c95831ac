// A concurrent ACME client as a Go programmer would write it for a fleet, on the library that most
// Go clients stand on (golang.org/x/crypto/acme): one shared client, kept connections, a goroutine
// an order, a new P-256 key each, checked, and durable before the order counts as done (store.go).
// It keeps no state: a run that was killed begins again.
//
// It measures what the language and library cost at many orders at once, which no packaged client
// does. It sleeps only where the library does.
//
//	go-acme -directory URL -ca-file PEM -account FILE -register
//	go-acme -directory URL -ca-file PEM -account FILE -names FILE -out FOLDER
//	        [-concurrency 64] [-webroot FOLDER] [-plain]
//
// Without -webroot names must be authorized already; -plain stores and checks less. Debian builds it with its packages alone:
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
	store   store
}

func main() {
	directory := flag.String("directory", "", "the CA's directory `URL`")
	caFile := flag.String("ca-file", "", "`PEM` file to trust for the CA's HTTPS")
	account := flag.String("account", "", "`file` of the account's key")
	register := flag.Bool("register", false, "make the account and its key, and end")
	names := flag.String("names", "", "`file` with one name a line")
	out := flag.String("out", ".", "`folder` for archive and live")
	plain := flag.Bool("plain", false, "only NAME.key and NAME.crt, and no fsync of folders")
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
		issuer := &issuer{webroot: *webroot, store: plainStore{*out}}
		if !*plain {
			issuer.store, err = newDurableStore(*out)
		}
		if err == nil {
			err = issueAll(ctx, *directory, *caFile, *account, *names, *concurrency, issuer)
		}
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
	if err := i.store.putKey(name, key); err != nil {
		return err
	}
	chain, _, err := i.client.CreateOrderCert(ctx, order.FinalizeURL, csr, true)
	if err != nil {
		return fmt.Errorf("finalize: %w", err)
	}
	return i.store.putChain(name, chain, key)
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
