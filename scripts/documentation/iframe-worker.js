// Browsers start no Worker from a file on disk. There a hidden frame runs its script, so that the search works in a site
// that is opened as a folder. Zensical's plugin `offline` would fetch a script for this from another host.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.srcdoc = `<script src="${url}"></script>`;
      this.started = new Promise(resolve => this.frame.addEventListener("load", resolve)).then(() => {
        this.frame.contentWindow.postMessage = data => this.onmessage?.(new MessageEvent("message", { data }));
      });
      document.body.append(this.frame);
    }

    postMessage(data) {
      this.started.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
