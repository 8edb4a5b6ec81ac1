package readme

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// standIn does what the documents ask of curl and of the nats command line, so that
// the tests need nothing but Go. With GENESIS_TEST_TOOLS=real the real ones are run.
func standIn(name string, args []string) error {
	if name == "curl" {
		return curl(args)
	}
	return natsCommand(args)
}

func curl(args []string) error {
	method, url, body := http.MethodGet, "", ""
	header := http.Header{}
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "-s":
		case args[i] == "-H" && i+1 < len(args):
			i++
			key, value, _ := strings.Cut(args[i], ":")
			header.Add(key, strings.TrimSpace(value))
		case args[i] == "-d" && i+1 < len(args):
			i++
			method, body = http.MethodPost, args[i]
		case strings.HasPrefix(args[i], "-"):
			return fmt.Errorf("the stand-in for curl does not know %s", args[i])
		default:
			url = args[i]
		}
	}
	req, err := http.NewRequest(method, url, strings.NewReader(body)) //nolint:noctx // a program of one call
	if err != nil {
		return err
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}

func natsCommand(args []string) error {
	nc, err := nats.Connect(os.Getenv("NATS_URL"))
	if err != nil {
		return err
	}
	defer nc.Close()
	switch {
	case len(args) == 3 && args[0] == "pub":
		if err := nc.Publish(args[1], []byte(args[2])); err != nil {
			return err
		}
		fmt.Printf("%s Published %d bytes to %q\n", time.Now().Format(time.TimeOnly), len(args[2]), args[1])
		return nc.Flush()
	case len(args) == 5 && args[0] == "stream" && args[1] == "get" && args[3] == "--last-for":
		msg, err := nc.Request("$JS.API.DIRECT.GET."+args[2]+"."+args[4], nil, 5*time.Second)
		if err != nil {
			return err
		}
		if status := msg.Header.Get("Status"); status != "" {
			return fmt.Errorf("%s %s", status, msg.Header.Get("Description"))
		}
		fmt.Printf("Item: %s#%s received\n\n%s\n\n", args[2], msg.Header.Get("Nats-Sequence"), msg.Data)
		return nil
	}
	return errors.New("the stand-in for nats knows pub SUBJECT BODY and stream get STREAM --last-for SUBJECT")
}
