// opampgo-server is the Go implementation's OpAMP server, told what to send by JSON lines on standard input.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"net/http"

	"github.com/open-telemetry/opamp-go/protobufs"
	"github.com/open-telemetry/opamp-go/server"
	"github.com/open-telemetry/opamp-go/server/types"

	"opamp-supervisor/test/interop/report"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	certificate := flag.String("tls-cert", "", "PEM file of the certificate; serves TLS")
	key := flag.String("tls-key", "", "PEM file of the private key")
	flag.Parse()

	agents := newAgents()
	opamp := server.New(nil)
	settings := server.StartSettings{
		ListenEndpoint: *listen,
		Settings: server.Settings{
			CustomCapabilities: []string{"test.interop"},
			EnableCompression:  true,
			Callbacks:          types.Callbacks{OnConnecting: agents.accept},
		},
	}
	if *certificate != "" {
		pair, err := tls.LoadX509KeyPair(*certificate, *key)
		if err != nil {
			report.Fail("cannot load the certificate", err)
		}
		settings.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	if err := serveFiles(); err != nil {
		report.Fail("cannot serve files", err)
	}
	if err := opamp.Start(settings); err != nil {
		report.Fail("cannot listen", err)
	}
	report.Write("listening", report.Object{"address": opamp.Addr().String()})

	report.ReadOrders(func(order order) error {
		switch order.Cmd {
		case "disconnect":
			agents.disconnect()
			return nil
		case "reject":
			agents.reject(order.Status, order.RetryAfter)
			return nil
		default:
			message, fields, err := order.message()
			if err != nil {
				return err
			}
			return agents.send(order.Cmd, message, fields)
		}
	})
	agents.disconnect()
	_ = opamp.Stop(context.Background())
}

func (a *agents) accept(request *http.Request) types.ConnectionResponse {
	id, rejection := a.nextConnection()
	report.Write("connecting", report.Object{
		"connection": id,
		"accepted":   rejection == nil,
		"webSocket":  request.Header.Get("Upgrade") != "",
		"path":       request.URL.Path,
		"headers":    request.Header,
	})
	if rejection != nil {
		return *rejection
	}
	return types.ConnectionResponse{
		Accept: true,
		ConnectionCallbacks: types.ConnectionCallbacks{
			OnConnected: func(_ context.Context, connection types.Connection) {
				if request.Header.Get("Upgrade") != "" {
					a.add(connection)
				}
				report.Write("connected", report.Object{"connection": id})
			},
			OnMessage: func(_ context.Context, _ types.Connection, message *protobufs.AgentToServer) *protobufs.ServerToAgent {
				fields := report.AgentToServer(message)
				fields["connection"] = id
				report.Write("message", fields)
				return a.answer(message)
			},
			OnReadMessageError: func(_ types.Connection, _ int, _ []byte, err error) {
				report.Write("unreadable", report.Object{"connection": id, "error": err.Error()})
			},
			OnConnectionClose: func(connection types.Connection) {
				a.remove(connection)
				report.Write("closed", report.Object{"connection": id})
			},
		},
	}
}
