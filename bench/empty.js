// A Worker with nothing in it: what starting the runtime itself costs.
export default {
  fetch() {
    return new Response("ok");
  },
};
