package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A browser is a tab of a Chromium of its own, without a window.
type browser struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp knows a tab by its context

	mu       sync.Mutex
	problems []string // what its console complained about
}

// newBrowser starts a Chromium with a new profile. It ends with the test.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	ctx, end := chromedp.NewContext(allocator)
	b := &browser{t: t, ctx: ctx}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("close the browser: %v", err)
		}
		end()
		stop()
	})
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	return b
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no chromium: on Debian `apt-get install --no-install-recommends chromium`")
	return ""
}

// hear keeps what goes wrong in the page: errors of its script, breaches of its policy.
// That a monitor which was killed cannot be reached is no fault of the page.
func (b *browser) hear(event any) {
	var problem string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = fmt.Sprintf("%+v", *e.ExceptionDetails)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			problem = e.Entry.Text
		}
	}
	if problem == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, problem)
}

// mustBeQuiet fails when the console of the browser complained.
func (b *browser) mustBeQuiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.problems) > 0 {
		b.t.Errorf("the browser complains:\n%s", strings.Join(b.problems, "\n"))
	}
}

func (b *browser) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

func (b *browser) open(url string) {
	b.t.Helper()
	b.do("open "+url, chromedp.Navigate(url))
}

// look sets the colours that the user prefers, and the width of the window.
func (b *browser) look(scheme string, width int64) {
	b.t.Helper()
	b.do("set the window", chromedp.EmulateViewport(width, 900))
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.t.Fatalf("set the colours: %v", err)
	}
}

// press presses keys, as [chromedp.KeyEvent] reads them.
func (b *browser) press(keys string) {
	b.t.Helper()
	b.do("press a key", chromedp.KeyEvent(keys))
}

// eval returns the value of an expression, or of the promise that it is.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("evaluate %.200s: %v", expression, err)
	}
	return v
}

// until waits until an expression is true; says tells what is there instead.
func (b *browser) until(what, expression, says string) {
	b.t.Helper()
	await(b.t, what, func() error {
		if eval[bool](b, expression) {
			return nil
		}
		return fmt.Errorf("the page says %q", eval[string](b, says))
	})
}

// axe installs the accessibility checker and returns its source.
func axe(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", "axe", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), string(text))
	}
	if out, ok := run(t, "npm", "ci", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"); !ok {
		t.Fatalf("install axe-core: npm says\n%s", out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
