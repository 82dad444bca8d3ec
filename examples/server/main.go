//go:build unix

// Command server runs commands for its clients over HTTP:
//
//	curl -d 'echo hello; sleep 1; echo world' http://localhost:8080/run
//
// The body is a shell script. Its output is streamed as it comes, and the trailer
// Status tells how it ended. A client that goes away takes its command with it, and
// all that this has started; so does a server that is told to stop. Whoever reaches
// the server can run anything: keep it on localhost.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	exec "example.com/xexec"
)

const (
	timeLimit = 30 * time.Second
	grace     = 2 * time.Second // from asking a command to stop until it is killed
	maxScript = 1 << 20
)

var (
	errTooLong  = errors.New("the command took too long")
	errStopping = errors.New("the server is stopping")
)

func main() {
	addr := flag.String("addr", "localhost:8080", "listen on this `address`")
	flag.Parse()
	stop, restore := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer restore()
	l, err := net.Listen("tcp", *addr)
	if err == nil {
		log.Println("listening on", l.Addr())
		err = serve(stop, l)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// serve serves until stop ends, and returns when no command is left.
func serve(stop context.Context, l net.Listener) error {
	commands, end := context.WithCancelCause(context.Background())
	defer end(nil)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /run", func(w http.ResponseWriter, r *http.Request) { run(commands, w, r) })
	server := &http.Server{
		Handler:     mux,
		ReadTimeout: 10 * time.Second,
		// A client that does not read holds up the copying of the output, and
		// so the end of its command.
		WriteTimeout: timeLimit + 2*grace,
	}

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	end(errStopping)
	ctx, cancel := context.WithTimeout(context.Background(), 2*grace)
	defer cancel()
	return server.Shutdown(ctx) // returns when the last run has
}

// run runs the script in the request for as long as the client, the server and the
// time limit allow.
func run(commands context.Context, w http.ResponseWriter, r *http.Request) {
	script, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxScript))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), timeLimit, errTooLong)
	defer cancel()
	cmd := exec.CommandContext(commands, "sh", "-c", string(script))
	cmd.SetTree(true)
	cmd.SetGracePeriod(grace)
	output := flusher{w, http.NewResponseController(w)}
	cmd.Stdout, cmd.Stderr = output, output

	w.Header().Set("Trailer", "Status")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	err = cmd.RunContext(ctx) // both contexts end it
	status := "ok"
	if err != nil {
		status = err.Error() // such as "exit status 3", or why it was stopped
	}
	w.Header().Set("Status", status)
	log.Printf("process %d: %s", cmd.Pid(), status)
}

// A flusher sends what the command writes at once.
type flusher struct {
	w       io.Writer
	control *http.ResponseController
}

func (f flusher) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	if err == nil {
		err = f.control.Flush()
	}
	return n, err
}
